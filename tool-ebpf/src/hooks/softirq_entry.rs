//! `softirq_entry(vector)`: deferred work of interrupts begins on this CPU.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::cpu;

#[btf_tracepoint(function = "softirq_entry")]
fn softirq_entry(_ctx: BtfTracePointContext) -> i32 {
    cpu::softirq_begins();
    0
}
