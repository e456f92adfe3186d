//! Every task there is, visited when user space reads the iterator, at each tick: whose call sleeps for long.

use core::ffi::c_void;

use crate::{
    probes::{cpu, syscalls},
    support::task::Task,
};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn sleep_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__task`: the iterator's state, then the task, null after the last one.
    let (meta, task) = unsafe { (*ctx.cast::<*const *mut c_void>(), *ctx.cast::<*const u8>().add(1)) };
    if !task.is_null() {
        // SAFETY: the state begins with the output; the iterator hands out trusted tasks.
        unsafe {
            let task = Task::trusted(task);
            syscalls::asleep(*meta, task, || cpu::asleep(task));
        }
    }
    0
}
