//! `block_getrq([queue,] bio)`: a bio is about to become a request, in the context of its submitter.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io};

#[btf_tracepoint(function = "block_getrq")]
fn block_getrq(ctx: BtfTracePointContext) -> i32 {
    let passed = if facts::on(&facts::GETRQ_HAS_QUEUE) { ctx.arg(1) } else { ctx.arg(0) };
    // SAFETY: that argument is trusted.
    unsafe { io::getrq(passed) };
    0
}
