//! `block_rq_merge([queue,] rq)`: a request was merged into another and ends without completion. Since 5.11.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io, support::argument_behind_queue};

#[btf_tracepoint(function = "block_rq_merge")]
fn block_rq_merge(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { io::merge(argument_behind_queue(ctx.as_ptr(), facts::MERGE_HAS_QUEUE.is_there())) };
    0
}
