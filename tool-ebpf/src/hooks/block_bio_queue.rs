//! `block_bio_queue([queue,] bio)`: a bio is submitted to a device, in the context of its submitter.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io, support::argument_behind_queue};

#[btf_tracepoint(function = "block_bio_queue")]
fn block_bio_queue(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the arguments are trusted.
    unsafe { io::bio_queue(argument_behind_queue(ctx.as_ptr(), facts::BIO_QUEUE_HAS_QUEUE.is_there())) };
    0
}
