//! `sched_waking(task)`: a task is about to be woken, by whoever runs on this CPU or by an interrupt of it.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{probes::io, support::task::Task};

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted task.
    io::waking(ctx.as_ptr(), unsafe { Task::trusted(ctx.arg(0)) });
    0
}
