//! Every task there is, visited each time that user space reads the iterator: what memory each process holds.

use core::ffi::c_void;

use crate::{probes::oom, support::task::Task};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn memory_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__task`: a pointer to `bpf_iter_meta`, which begins with a pointer to the file that is read;
    // then the task, null after the last one.
    let (file, task) = unsafe {
        let meta: *const *mut c_void = *ctx.cast::<*const *mut c_void>();
        (*meta, *ctx.cast::<*const u8>().add(1))
    };
    if !task.is_null() {
        // SAFETY: the iterator hands out trusted tasks.
        oom::resident(file, unsafe { Task::trusted(task) });
    }
    0
}
