//! `sched_process_exit(task[, last])`: a task ends, in its own context.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{probes::oom, support::task::Task};

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted task.
    oom::exit(unsafe { Task::trusted(ctx.arg(0)) });
    0
}
