//! `inet_sock_set_state(sk, old, new)`: a socket changes its state.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::tcp;

#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted socket.
    unsafe { tcp::set_state(ctx.arg(0), ctx.arg::<u64>(1) as u32, ctx.arg::<u64>(2) as u32) };
    0
}
