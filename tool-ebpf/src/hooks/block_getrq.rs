//! `block_getrq([queue,] bio)`: a bio is about to become a request, in the context of its submitter.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io, support::argument_behind_queue};

#[btf_tracepoint(function = "block_getrq")]
fn block_getrq(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { io::getrq(argument_behind_queue(ctx.as_ptr(), facts::GETRQ_HAS_QUEUE.is_there())) };
    0
}
