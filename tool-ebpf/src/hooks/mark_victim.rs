//! `mark_victim(task, uid)`, before 6.9 `mark_victim(pid)`: the kernel has chosen a process to kill, at the hand of a task that needs
//! memory.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::oom;

#[btf_tracepoint(function = "mark_victim")]
fn mark_victim(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: this tracepoint's context.
    unsafe { oom::mark(ctx.as_ptr()) };
    0
}
