//! `irq_handler_entry(irq, action)`: a device's interrupt handler begins on this CPU.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::cpu;

#[btf_tracepoint(function = "irq_handler_entry")]
fn irq_handler_entry(_ctx: BtfTracePointContext) -> i32 {
    cpu::irq_begins();
    0
}
