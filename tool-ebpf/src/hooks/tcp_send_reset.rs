//! `tcp_send_reset(sk, skb[, reason])`: this host breaks a connection off, or answers a packet that belongs to none. Either may
//! be null: no socket (6.10; before, such answers are not told), no packet.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::tcp};

#[btf_tracepoint(function = "tcp_send_reset")]
fn tcp_send_reset(ctx: BtfTracePointContext) -> i32 {
    let reason = if facts::RESET_HAS_REASON.is_there() { ctx.arg::<u64>(2) as u32 } else { 0 };
    // SAFETY: the arguments are trusted, or null.
    unsafe { tcp::sent(ctx.arg(0), ctx.arg(1), reason) };
    0
}
