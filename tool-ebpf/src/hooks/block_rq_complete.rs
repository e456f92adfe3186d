//! `block_rq_complete(rq, error, bytes)`: a device has done a part of a request, or all of it; before its bios end and their
//! waiters are woken.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::io;

#[btf_tracepoint(function = "block_rq_complete")]
fn block_rq_complete(ctx: BtfTracePointContext) -> i32 {
    // An errno, or since 5.16 a `blk_status_t` of one byte: 0 is success in both.
    let failed = ctx.arg::<u64>(1) as u32 != 0;
    // SAFETY: argument 0 is a trusted request.
    unsafe { io::complete(ctx.arg(0), failed, ctx.arg::<u64>(2) as u32) };
    0
}
