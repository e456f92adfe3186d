//! `tcp_receive_reset(sk)`: the other side breaks a connection off.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::tcp;

#[btf_tracepoint(function = "tcp_receive_reset")]
fn tcp_receive_reset(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the argument is trusted.
    unsafe { tcp::received(ctx.arg(0)) };
    0
}
