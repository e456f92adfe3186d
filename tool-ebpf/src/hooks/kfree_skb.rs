//! `kfree_skb(skb, location[, reason[, receiver]])`: a packet is dropped. The reason since 5.17, the socket that it was for since
//! 6.11 (may be null).

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::tcp};

#[btf_tracepoint(function = "kfree_skb")]
fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    let reason = if facts::DROP_HAS_REASON.is_there() { ctx.arg::<u64>(2) as u32 } else { 0 };
    let receiver = if facts::DROP_HAS_SOCKET.is_there() { ctx.arg::<*const u8>(3) as u64 } else { 0 };
    // SAFETY: argument 0 is a trusted packet.
    unsafe { tcp::dropped(ctx.arg(0), ctx.arg(1), reason, receiver) };
    0
}
