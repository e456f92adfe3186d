//! `signal_generate(signal, info, task, group, result)`: a signal is sent, mostly in the context of its sender.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{probes::oom, support::task::Task};

#[btf_tracepoint(function = "signal_generate")]
fn signal_generate(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 2 is a trusted task.
    oom::signal(ctx.arg::<u64>(0) as u32, unsafe { Task::trusted(ctx.arg(2)) });
    0
}
