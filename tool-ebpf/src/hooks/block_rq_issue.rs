//! `block_rq_issue([queue,] rq)`: a request is handed to its driver.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io, support::argument_behind_queue};

#[btf_tracepoint(function = "block_rq_issue")]
fn block_rq_issue(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { io::issue(argument_behind_queue(ctx.as_ptr(), facts::ISSUE_HAS_QUEUE.is_there())) };
    0
}
