//! Commands of `bpf(2)` that aya does not offer.

use std::{ffi::c_long, io};

pub const MAP_LOOKUP_BATCH: c_long = 24;
pub const OBJ_GET_INFO_BY_FD: c_long = 15;
pub const LINK_CREATE: c_long = 28;
pub const ITER_CREATE: c_long = 33;

/// What a command returns, which is a descriptor of those that make one.
///
/// # Safety
/// `A` is laid out as the part of `union bpf_attr` that the command reads, and what it points to is there.
pub unsafe fn bpf<A>(command: c_long, attributes: &mut A) -> io::Result<c_long> {
    // SAFETY: the kernel reads and writes this many bytes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
