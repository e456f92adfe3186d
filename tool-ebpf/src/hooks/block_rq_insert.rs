//! `block_rq_insert([queue,] rq)`: a request waits in a scheduler's queue.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io};

#[btf_tracepoint(function = "block_rq_insert")]
fn block_rq_insert(ctx: BtfTracePointContext) -> i32 {
    let passed = if facts::on(&facts::INSERT_HAS_QUEUE) { ctx.arg(1) } else { ctx.arg(0) };
    // SAFETY: that argument is trusted.
    unsafe { io::insert(passed) };
    0
}
