//! `block_bio_queue([queue,] bio)`: a bio is submitted to a device, in the context of its submitter.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{facts, probes::io};

#[btf_tracepoint(function = "block_bio_queue")]
fn block_bio_queue(ctx: BtfTracePointContext) -> i32 {
    let passed = if facts::on(&facts::BIO_QUEUE_HAS_QUEUE) { ctx.arg(1) } else { ctx.arg(0) };
    // SAFETY: that argument is trusted.
    unsafe { io::bio_queue(passed) };
    0
}
