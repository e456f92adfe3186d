//! `tcp_retransmit_synack(sk, req)`: the answer to a SYN was retransmitted; `sk` listens, `req` is not a socket yet.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::tcp;

#[btf_tracepoint(function = "tcp_retransmit_synack")]
fn tcp_retransmit_synack(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { tcp::retransmit_synack(ctx.arg(0), ctx.arg(1)) };
    0
}
