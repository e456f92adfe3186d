//! `softirq_exit(vector)`: it is done.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::cpu;

#[btf_tracepoint(function = "softirq_exit")]
fn softirq_exit(ctx: BtfTracePointContext) -> i32 {
    cpu::softirq_ends(ctx.arg::<u32>(0));
    0
}
