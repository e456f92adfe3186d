//! `block_rq_merge([queue,] rq)`: a request was merged into another and ends without completion. Since 5.11.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io};

#[btf_tracepoint(function = "block_rq_merge")]
fn block_rq_merge(ctx: BtfTracePointContext) -> i32 {
    let passed = if facts::on(&facts::MERGE_HAS_QUEUE) { ctx.arg(1) } else { ctx.arg(0) };
    // SAFETY: that argument is trusted.
    unsafe { io::merge(passed) };
    0
}
