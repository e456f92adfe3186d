//! `block_bio_complete(queue, bio)`: a bio is over.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::io;

#[btf_tracepoint(function = "block_bio_complete")]
fn block_bio_complete(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 1 is a trusted bio.
    unsafe { io::bio_complete(ctx.arg(1)) };
    0
}
