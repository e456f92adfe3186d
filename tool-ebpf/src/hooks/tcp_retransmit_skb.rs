//! `tcp_retransmit_skb(sk, skb[, error])`: data was retransmitted, mostly at the hand of a timer or of an incoming segment: the
//! current task has nothing to do with it.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::tcp};

#[btf_tracepoint(function = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: BtfTracePointContext) -> i32 {
    let error = if facts::RETRANSMIT_HAS_ERROR.is_there() { ctx.arg::<u64>(2) as i32 } else { 0 };
    // SAFETY: the arguments are trusted.
    unsafe { tcp::retransmit(ctx.arg(0), ctx.arg(1), error) };
    0
}
