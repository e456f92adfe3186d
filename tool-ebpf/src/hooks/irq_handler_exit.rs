//! `irq_handler_exit(irq, action, ret)`: it is done.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::cpu;

#[btf_tracepoint(function = "irq_handler_exit")]
fn irq_handler_exit(ctx: BtfTracePointContext) -> i32 {
    cpu::irq_ends(ctx.arg::<u32>(0));
    0
}
