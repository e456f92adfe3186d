//! `writeback_dirty_folio(folio, mapping)`, before 5.18 `writeback_dirty_page(page, mapping)`: a page of a file becomes dirty, by
//! the hand of who writes to it. Not fired for a page that is dirty already.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    facts,
    probes::{disk, io},
    support::dirty::DirtyPage,
};

#[btf_tracepoint(function = "writeback_dirty_folio")]
fn writeback_dirty_folio(ctx: BtfTracePointContext) -> i32 {
    let (page, mapping): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(1));
    if page.is_null() || mapping.is_null() {
        return 0;
    }
    // SAFETY: trusted arguments, of which new kernels say that they may be null: these are not.
    let page = unsafe { DirtyPage::new(page, mapping) };
    if facts::on(&facts::DISK_WRITERS) {
        disk::dirty(&page);
    }
    if facts::on(&facts::IO_WHO) {
        io::dirty(&page);
    }
    0
}
