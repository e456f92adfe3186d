//! `netif_receive_skb(skb)`: a packet has come in at a device.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::tcp::Direction;

use crate::probes::tcp;

#[btf_tracepoint(function = "netif_receive_skb")]
fn netif_receive_skb(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted packet.
    unsafe { tcp::packet(ctx.arg(0), Direction::Received) };
    0
}
