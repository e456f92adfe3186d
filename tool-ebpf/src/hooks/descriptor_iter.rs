//! Every descriptor of every task, visited when user space reads the iterator: at the start, and when a socket's holder is not known.

use core::ffi::c_void;

use crate::{probes::tcp, support::task::Task};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
fn descriptor_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__task_file`: the iterator's state, the task, the number of the descriptor in the room of a
    // word, the file; null after the last.
    let (meta, task, file) = unsafe {
        (*ctx.cast::<*const *mut c_void>(), *ctx.cast::<*const u8>().add(1), *ctx.cast::<*const u8>().add(3))
    };
    if !task.is_null() && !file.is_null() {
        // SAFETY: the state begins with the output; the iterator hands out trusted tasks.
        unsafe { tcp::descriptor(*meta, Task::trusted(task), file as u64) };
    }
    0
}
