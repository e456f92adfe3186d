//! Whose a request is.
//!
//! What a device writes was mostly dirtied by somebody who is gone from the scene: page → inode → who dirtied it. For each
//! inode we keep how many bytes each of a few processes has dirtied and no device has been given yet, and take them away again
//! as they are written, so that writers of one file share its requests in proportion.

use stillwatch_common::io::{Dirtier, How, Inode, OwnerId, Program, Request, SHARES, Share, Submitter, Unknown};

use super::{
    fields::{OP_DISCARD, OP_READ, OP_WRITE, has},
    tables::{self, CpuPtr},
};
use crate::{
    facts,
    support::{
        count::add_shared,
        memory::{load, read_or_zero},
        task::Task,
    },
};

/// Bios that are looked at of a request that many were merged into. The others are taken to be like them.
const BIOS: usize = 8;
/// Bytes of a `struct bio_vec`.
const VEC: u64 = 16;
/// Low bits of `page->mapping`: not a file's page.
const MAPPING_FLAGS: u64 = 3;

/// `writeback_dirty_folio`: somebody made a page of a file dirty.
///
/// # Safety
/// `page` (the folio) and `mapping` are trusted, or null.
#[inline(always)]
pub unsafe fn dirty(page: *const u8, mapping: *const u8) {
    let Some(cpu) = tables::cpu(Program::Dirty) else { return };
    if page.is_null() || mapping.is_null() {
        return;
    }
    // SAFETY: promised by the caller.
    let (inode, number, generation) = unsafe {
        let inode: *const u8 = load(mapping, facts::MAPPING_HOST.load());
        (
            inode as u64,
            load::<u64>(inode, facts::INODE_NUMBER.load()),
            load::<u32>(inode, facts::INODE_GENERATION.load()),
        )
    };
    // SAFETY: promised by the caller.
    let bytes = unsafe { size_of_folio(page) };
    let task = Task::current();
    let owner = task.owner();

    let known = match tables::IO_INODES.get_ptr_mut(inode) {
        // SAFETY: a map value.
        Some(known) if unsafe { (*known).number == number && (*known).generation == generation } => known,
        _ => {
            // SAFETY: all zeros are an empty entry.
            let mut new: Inode = unsafe { core::mem::zeroed() };
            (new.number, new.generation) = (number, generation);
            new.dirtiers[0] = Dirtier { owner, bytes };
            let _ = tables::IO_INODES.insert(inode, new, 0);
            return tables::name(cpu, owner, task);
        }
    };
    for at in 0..SHARES {
        // SAFETY: a map value, the index is in bounds.
        unsafe {
            let dirtier = &raw mut (*known).dirtiers[at];
            if (*dirtier).owner == owner {
                return add_shared(&raw mut (*dirtier).bytes, bytes);
            }
        }
    }
    for at in 0..SHARES {
        // SAFETY: as above. Two at the same moment may take the same place: one is then not known as a dirtier of this page.
        unsafe {
            let dirtier = &raw mut (*known).dirtiers[at];
            if outstanding(dirtier) == 0 {
                (*dirtier).owner = owner;
                (*dirtier).bytes = bytes;
                return tables::name(cpu, owner, task);
            }
        }
    }
    // A fifth writer at the same time: its pages are nobody's.
}

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

/// Bytes that are dirty and were not written. Two that write at the same moment may both take the last ones.
///
/// # Safety
/// `dirtier` points into a map value.
#[inline(always)]
unsafe fn outstanding(dirtier: *const Dirtier) -> u64 {
    // SAFETY: promised by the caller.
    let bytes = unsafe { (&raw const (*dirtier).bytes).read_volatile() };
    if bytes as i64 > 0 { bytes } else { 0 }
}

/// Makes one share all there is.
///
/// # Safety
/// `to` points into a map value.
#[inline(always)]
pub unsafe fn only(to: *mut Request, share: Share) {
    // SAFETY: promised by the caller.
    unsafe {
        (*to).shares[0] = share;
        for at in 1..SHARES {
            (*to).shares[at].bytes = 0;
        }
    }
}

/// Finds the owners of a request that is about to be handed to its driver: no bio is merged into it any more.
///
/// # Safety
/// `to` points into a map value, `bio` is trusted.
#[inline(always)]
pub unsafe fn find(cpu: CpuPtr, program: Program, to: *mut Request, bio: *const u8, flags: u32, bytes: u32) {
    // SAFETY: promised by the caller.
    let (submitter, kind) = unsafe { ((*to).submitter, (*to).kind) };
    let how = match (flags & 0xff, kind) {
        (OP_READ, _) if has(flags, &facts::REQ_SWAP) => How::Swap,
        (_, kind) if kind == Submitter::Journal as u32 => How::Journal,
        (_, kind) if kind == Submitter::KernelThread as u32 => {
            if has(flags, &facts::REQ_META) {
                How::Metadata
            } else {
                How::KernelThread
            }
        }
        (OP_DISCARD, _) => How::Discard,
        (OP_READ, _) if has(flags, &facts::REQ_RAHEAD) => How::Readahead,
        (OP_READ, _) => {
            // SAFETY: promised by the caller.
            if unsafe { is_for_file(cpu, program, bio) } { How::Read } else { How::Direct }
        }
        _ => How::Direct,
    };
    let own = Share { owner: submitter, bytes, how: how as u32 };
    if !matches!(flags & 0xff, OP_WRITE) || kind == Submitter::Journal as u32 {
        // SAFETY: promised by the caller.
        return unsafe { only(to, own) };
    }
    let bio = tables::as_number(cpu, program, bio);
    // SAFETY: promised by the caller.
    unsafe { find_writers(to, bio, &own, has(flags, &facts::REQ_SWAP)) };
}

/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn find_writers(to: *mut Request, mut bio: u64, own: &Share, swap: bool) {
    // SAFETY: promised by the caller.
    unsafe {
        for at in 0..SHARES {
            (*to).shares[at].bytes = 0;
        }
    }
    for _ in 0..BIOS {
        if bio == 0 {
            break;
        }
        let bytes: u32 = read_or_zero(bio, facts::BIO_SIZE.load());
        let mapping = file_mapping(first_page(bio));
        if mapping == 0 {
            let owner = if swap { Unknown::Swapped as OwnerId } else { own.owner };
            let how = if swap { How::Swap as u32 } else { own.how };
            // SAFETY: promised by the caller.
            unsafe { add(to, owner, how, bytes) };
        } else {
            // SAFETY: promised by the caller.
            unsafe { split(to, mapping, own, bytes) };
        }
        bio = read_or_zero(bio, facts::BIO_NEXT.load());
    }
}

/// Splits a bio that writes pages of a file over those who dirtied them. Pages of a file in memory are no file's on a disk: who shares
/// them hands them over himself (`O_DIRECT` from shared memory, as databases do).
///
/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn split(to: *mut Request, mapping: u64, own: &Share, bytes: u32) {
    let inode: u64 = read_or_zero(mapping, facts::MAPPING_HOST.load());
    let number: u64 = read_or_zero(inode, facts::INODE_NUMBER.load());
    let generation: u32 = read_or_zero(inode, facts::INODE_GENERATION.load());
    let mut left = bytes;
    if let Some(known) = tables::IO_INODES.get_ptr_mut(inode) {
        // SAFETY: a map value, indexes in bounds; `to` is promised by the caller.
        unsafe {
            if (*known).number == number && (*known).generation == generation {
                let mut sum = 0;
                for at in 0..SHARES {
                    sum += outstanding(&raw const (*known).dirtiers[at]);
                }
                for at in 0..SHARES {
                    let dirtier = &raw mut (*known).dirtiers[at];
                    let own = outstanding(dirtier);
                    // All that is dirty, or a part in proportion.
                    let part = if sum <= bytes.into() { own } else { u64::from(bytes) * own / sum } as u32;
                    if part != 0 {
                        add_shared(&raw mut (*dirtier).bytes, u64::from(part).wrapping_neg());
                        add(to, (*dirtier).owner, How::Writeback as u32, part);
                        left = left.saturating_sub(part);
                    }
                }
                // What the division left over belongs to all of them.
                if sum >= bytes.into() {
                    left = 0;
                }
            }
        }
    }
    if left != 0 {
        let before = (Unknown::DirtiedBefore as OwnerId, How::Writeback as u32);
        let (owner, how) = if is_in_memory(inode) { (own.owner, own.how) } else { before };
        // SAFETY: promised by the caller.
        unsafe { add(to, owner, how, left) };
    }
}

/// Whether a file has no disk that its pages are written to. Only asked of one whose pages nobody was seen to dirty: the kernel does not
/// tell of those of such files.
#[inline(always)]
fn is_in_memory(inode: u64) -> bool {
    let (Some(super_at), Some(magic_at)) = (facts::INODE_SUPER.get(), facts::SUPER_MAGIC.get()) else { return false };
    let magic: u64 = read_or_zero(read_or_zero(inode, super_at), magic_at);
    matches!(magic, TMPFS_MAGIC | RAMFS_MAGIC | HUGETLBFS_MAGIC)
}

/// From `linux/magic.h`. Shared anonymous memory is a file of a tmpfs.
const TMPFS_MAGIC: u64 = 0x0102_1994;
const RAMFS_MAGIC: u64 = 0x8584_58f6;
const HUGETLBFS_MAGIC: u64 = 0x9584_58f6;

/// Adds bytes to an owner's share. A fifth owner finds no place; the others then stand for it.
///
/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn add(to: *mut Request, owner: OwnerId, how: u32, bytes: u32) {
    for at in 0..SHARES {
        // SAFETY: promised by the caller, index in bounds.
        unsafe {
            let share = &raw mut (*to).shares[at];
            if (*share).bytes == 0 {
                *share = Share { owner, bytes, how };
                return;
            }
            if (*share).owner == owner && (*share).how == how {
                (*share).bytes += bytes;
                return;
            }
        }
    }
}

/// Whether a bio begins with a page of a file: [`file_mapping`] of [`first_page`], by loads instead of calls.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
unsafe fn is_for_file(cpu: CpuPtr, program: Program, bio: *const u8) -> bool {
    // SAFETY: promised by the caller; the rest is reached from there.
    unsafe {
        if load::<u32>(bio, facts::BIO_INDEX.load()) != 0 {
            return file_mapping(first_page(tables::as_number(cpu, program, bio))) != 0;
        }
        let vecs: *const u8 = load(bio, facts::BIO_VECS.load());
        let page: *const u8 = load(vecs, 0);
        let head = tables::as_number(cpu, program, load(page, facts::PAGE_COMPOUND.load()));
        if head & 1 != 0 {
            return file_mapping(head - 1) != 0;
        }
        let mapping = tables::as_number(cpu, program, load(page, facts::PAGE_MAPPING.load()));
        mapping != 0 && mapping & MAPPING_FLAGS == 0
    }
}

/// The page that a bio goes on with, or the head of the compound page that it is a part of.
#[inline(always)]
fn first_page(bio: u64) -> u64 {
    let index: u32 = read_or_zero(bio, facts::BIO_INDEX.load());
    let vecs: u64 = read_or_zero(bio, facts::BIO_VECS.load());
    let page: u64 = read_or_zero(vecs, u64::from(index) * VEC);
    let head: u64 = read_or_zero(page, facts::PAGE_COMPOUND.load());
    if head & 1 != 0 { head - 1 } else { page }
}

/// The file that a page belongs to; 0 for memory of a process or of the kernel.
#[inline(always)]
fn file_mapping(page: u64) -> u64 {
    let mapping: u64 = read_or_zero(page, facts::PAGE_MAPPING.load());
    if mapping & MAPPING_FLAGS != 0 { 0 } else { mapping }
}
