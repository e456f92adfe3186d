//! Every descriptor of every task, visited when user space reads the iterator: for TCP sockets by process and state, and connections whose
//! window is closed, which no hook tells of.

use core::ffi::c_void;

use crate::{probes::tcp, support::task::Task};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
fn socket_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: as in `descriptor_iter`.
    let (meta, task, file) = unsafe {
        (*ctx.cast::<*const *mut c_void>(), *ctx.cast::<*const u8>().add(1), *ctx.cast::<*const u8>().add(3))
    };
    // SAFETY: the state begins with the output; the iterator hands out trusted tasks.
    unsafe {
        if task.is_null() || file.is_null() {
            tcp::sockets_end(*meta);
        } else {
            tcp::socket_seen(*meta, Task::trusted(task), file as u64);
        }
    }
    0
}
