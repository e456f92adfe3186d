//! `block_rq_issue([queue,] rq)`: a request is handed to its driver.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io};

#[btf_tracepoint(function = "block_rq_issue")]
fn block_rq_issue(ctx: BtfTracePointContext) -> i32 {
    let passed = if facts::on(&facts::ISSUE_HAS_QUEUE) { ctx.arg(1) } else { ctx.arg(0) };
    // SAFETY: that argument is trusted.
    unsafe { io::issue(passed) };
    0
}
