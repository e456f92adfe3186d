//! A page of a file that becomes dirty, as all who look at it need it: read once.

use stillwatch_common::io::OwnerId;

use super::{
    memory::{load, read_or_zero},
    task::Task,
};
use crate::facts;

#[derive(Clone, Copy)]
pub struct DirtyPage {
    /// Trusted, like the inode.
    pub mapping: *const u8,
    pub inode: *const u8,
    pub number: u64,
    pub generation: u32,
    pub bytes: u64,
    /// By whose hand.
    pub task: Task,
    pub owner: OwnerId,
}

impl DirtyPage {
    /// # Safety
    /// `page` (the folio) and `mapping` are trusted, and not null.
    #[inline(always)]
    pub unsafe fn new(page: *const u8, mapping: *const u8) -> Self {
        let task = Task::current();
        // SAFETY: promised by the caller.
        unsafe {
            let inode: *const u8 = load(mapping, facts::MAPPING_HOST.load());
            Self {
                mapping,
                inode,
                number: load(inode, facts::INODE_NUMBER.load()),
                generation: load(inode, facts::INODE_GENERATION.load()),
                bytes: size_of_folio(page),
                task,
                owner: task.owner(),
            }
        }
    }
}

/// Bytes of a page, or of a folio: of a large one all, however many of them are written.
///
/// # Safety
/// `page` is a trusted page or folio.
#[inline(always)]
unsafe fn size_of_folio(page: *const u8) -> u64 {
    let bytes = u64::from(facts::PAGE_BYTES.load());
    let Some(order_at) = facts::FOLIO_ORDER.get() else { return bytes };
    // SAFETY: promised by the caller; the flags are the first word.
    if unsafe { load::<u64>(page, 0) } & facts::PAGE_HEAD.mask() == 0 {
        return bytes;
    }
    // In the second `struct page` of the folio, the low byte of a word or a byte of its own.
    bytes << (read_or_zero::<u8>(page as u64, order_at) & 15)
}
