//! Our table of listening sockets, walked over when user space reads the iterator, at each tick.

use core::ffi::c_void;

use crate::probes::tcp;

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
fn listener_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__bpf_map_elem`: the iterator's state, the map, the key and the value, null after the last.
    let (meta, key) = unsafe { (*ctx.cast::<*const *mut c_void>(), *ctx.cast::<*const u64>().add(2)) };
    if !key.is_null() {
        // SAFETY: the state begins with the output; the key is an address.
        unsafe { tcp::listener(*meta, *key) };
    }
    0
}
