//! `sched_migrate_task(task, cpu)`: a task is about to be moved to another CPU, by whoever runs on this one.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{probes::cpu, support::task::Task};

#[btf_tracepoint(function = "sched_migrate_task")]
fn sched_migrate_task(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted task.
    cpu::migrate(unsafe { Task::trusted(ctx.arg(0)) });
    0
}
