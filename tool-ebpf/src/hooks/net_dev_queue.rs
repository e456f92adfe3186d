//! `net_dev_queue(skb)`: a packet goes to a device.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::tcp::Direction;

use crate::probes::tcp;

#[btf_tracepoint(function = "net_dev_queue")]
fn net_dev_queue(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted packet.
    unsafe { tcp::packet(ctx.arg(0), Direction::Sent) };
    0
}
