//! `block_rq_insert([queue,] rq)`: a request waits in a scheduler's queue.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io, support::argument_behind_queue};

#[btf_tracepoint(function = "block_rq_insert")]
fn block_rq_insert(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { io::insert(argument_behind_queue(ctx.as_ptr(), facts::INSERT_HAS_QUEUE.is_there())) };
    0
}
