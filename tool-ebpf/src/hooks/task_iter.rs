//! Every task there is, visited once when user space reads the iterator, right after the other programs are attached.

use core::ffi::c_void;

use crate::{
    facts,
    probes::{io, syscalls},
    support::task::Task,
};

#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
fn task_iter(ctx: *mut c_void) -> i32 {
    // SAFETY: the context is `bpf_iter__task`: a pointer to the iterator's state, then the task, null after the last one.
    let task: *const u8 = unsafe { *ctx.cast::<*const u8>().add(1) };
    if !task.is_null() {
        // SAFETY: the iterator hands out trusted tasks.
        let task = unsafe { Task::trusted(task) };
        if facts::on(&facts::SYSCALLS_EXACT) || facts::on(&facts::SYSCALLS_BLOCKED) {
            syscalls::visit(task);
        }
        if facts::on(&facts::IO_WHO) {
            io::visit(task);
        }
    }
    0
}
