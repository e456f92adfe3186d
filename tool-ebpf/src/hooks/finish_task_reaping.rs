//! `finish_task_reaping(pid)`: the private memory of a victim has been taken away.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::oom;

#[btf_tracepoint(function = "finish_task_reaping")]
fn finish_task_reaping(ctx: BtfTracePointContext) -> i32 {
    oom::reaped(ctx.arg::<u64>(0) as u32);
    0
}
