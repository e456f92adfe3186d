//! Reading an iterator: the kernel runs a program for each of many things, and hands over what it writes. aya attaches
//! iterators to everything of a kind, but not to the entries of one map.

use std::{
    ffi::c_long,
    fs::File,
    io::{self, ErrorKind, Read},
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use aya::{Ebpf, programs::Iter};

use super::{
    bpf::{ITER_CREATE, LINK_CREATE, bpf},
    cost::Stopwatch,
};

const BPF_TRACE_ITER: u32 = 28;

/// The part of `union bpf_attr` that makes a link.
#[repr(C)]
#[derive(Default)]
struct Link {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_bytes: u32,
    pad: u32,
}

/// The part that begins a walk.
#[repr(C)]
struct Begin {
    link: u32,
    flags: u32,
}

/// What the kernel hands over at once.
const CHUNK: usize = 64 << 10;

/// A loaded iterator, tied to what it walks over.
pub struct Walk {
    link: OwnedFd,
    buffer: Box<[u8]>,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// It took too long.
    CutShort,
}

impl Walk {
    /// The iterator of this name, over what it was made for, or over the entries of a map. `None`: it is not loaded.
    pub fn new(ebpf: &mut Ebpf, name: &str, map: Option<RawFd>) -> io::Result<Option<Self>> {
        // Where no program is allowed there is none.
        if ebpf.programs().next().is_none() {
            return Ok(None);
        }
        let program = ebpf.program_mut(name).ok_or_else(|| io::Error::other(format!("no program {name}")))?;
        let program: &mut Iter = program.try_into().map_err(io::Error::other)?;
        let Ok(program) = program.fd() else { return Ok(None) };
        Self::over(program.as_fd().as_raw_fd(), map).map(Some)
    }

    /// The same of a program's descriptor.
    pub fn over(program: RawFd, map: Option<RawFd>) -> io::Result<Self> {
        let map = map.map(|map| map as u32);
        let link = Link {
            program: program as u32,
            attach_type: BPF_TRACE_ITER,
            info: map.as_ref().map_or(0, |map| &raw const *map as u64),
            info_bytes: map.as_ref().map_or(0, |map| size_of_val(map) as u32),
            ..Link::default()
        };
        Ok(Self { link: made(LINK_CREATE, link)?, buffer: vec![0; CHUNK].into() })
    }

    /// Walks once. What the program writes are `T`s, whole ones.
    ///
    /// # Safety
    /// All bits are valid in a `T`.
    pub unsafe fn records<T: Copy>(&mut self, visit: impl FnMut(&T)) -> io::Result<()> {
        // SAFETY: promised by the caller.
        unsafe { self.records_within(Duration::MAX, visit).map(drop) }
    }

    /// The same, and ends early when it takes longer than that.
    ///
    /// # Safety
    /// All bits are valid in a `T`.
    pub unsafe fn records_within<T: Copy>(
        &mut self,
        budget: Duration,
        mut visit: impl FnMut(&T),
    ) -> io::Result<Extent> {
        let watch = Stopwatch::start();
        let begin = Begin { link: self.link.as_raw_fd() as u32, flags: 0 };
        let mut file = File::from(made(ITER_CREATE, begin)?);
        let mut held = 0;
        loop {
            let bytes = again(|| file.read(&mut self.buffer[held..]))?;
            if bytes == 0 {
                return Ok(Extent::Whole);
            }
            let whole = (held + bytes) / size_of::<T>() * size_of::<T>();
            for record in self.buffer[..whole].chunks_exact(size_of::<T>()) {
                // SAFETY: so many bytes, of which the caller promises that they make a `T`.
                visit(&unsafe { record.as_ptr().cast::<T>().read_unaligned() });
            }
            self.buffer.copy_within(whole..held + bytes, 0);
            held = held + bytes - whole;
            if watch.elapsed() > budget {
                return Ok(Extent::CutShort);
            }
        }
    }
}

/// Reads on where there is more: the kernel interrupts a walk after a million objects of which nothing was written (`EAGAIN`), and for
/// signals.
fn again(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            result => return result,
        }
    }
}

/// A command that makes a descriptor.
fn made<A>(command: c_long, mut attributes: A) -> io::Result<OwnedFd> {
    // SAFETY: laid out for these commands; a number of objects is pointed to where there are some.
    let fd = unsafe { bpf(command, &mut attributes) }?;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_that_is_interrupted_goes_on() {
        let mut answers = [Err(libc::EAGAIN), Err(libc::EINTR), Err(libc::EAGAIN), Ok(7)].into_iter();
        let mut read = || answers.next().unwrap().map_err(io::Error::from_raw_os_error);
        assert_eq!(again(&mut read).unwrap(), 7);
        let refused = again(|| Err(io::Error::from_raw_os_error(libc::ENOMEM)));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ENOMEM));
    }
}
