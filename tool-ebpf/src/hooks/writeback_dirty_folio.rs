//! `writeback_dirty_folio(folio, mapping)`, before 5.18 `writeback_dirty_page(page, mapping)`: a page of a file becomes dirty, by
//! the hand of who writes to it. Not fired for a page that is dirty already.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::io;

#[btf_tracepoint(function = "writeback_dirty_folio")]
fn writeback_dirty_folio(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: trusted arguments, of which new kernels say that they may be null.
    unsafe { io::dirty(ctx.arg(0), ctx.arg(1)) };
    0
}
