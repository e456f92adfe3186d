//! Every descriptor of every task, visited when user space reads the iterator: for the files behind them, and how many there are.

use core::ffi::c_void;

use crate::{probes::disk, support::task::Task};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
fn file_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__task_file`: the iterator's state, the task, the number of the descriptor in the room of a
    // word, the file; task and file are null after the last.
    let (meta, task, fd, file) = unsafe {
        (
            *ctx.cast::<*const *mut c_void>(),
            *ctx.cast::<*const u8>().add(1),
            *ctx.cast::<u32>().add(4),
            *ctx.cast::<*const u8>().add(3),
        )
    };
    // SAFETY: the state begins with the output; the iterator hands out trusted tasks.
    unsafe {
        if task.is_null() || file.is_null() {
            disk::end(*meta);
        } else {
            disk::descriptor(*meta, Task::trusted(task), fd, file as u64);
        }
    }
    0
}
