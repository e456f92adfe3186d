//! Whose a request is.
//!
//! What a device writes was mostly dirtied by somebody who is gone from the scene: page → inode → who dirtied it
//! ([`super::dirtiers`]). What a file's disk is given is taken away again from those, so that writers of one file share its requests in
//! proportion. Disks below its own (of loop, dm, md) get the same pages later, and split them as that one did last.

use core::num::NonZeroU64;

use aya_ebpf::helpers::generated;
use stillwatch_common::io::{
    Dirtier, FileId, How, OwnerId, PLACES, Program, Request, SHARES, Share, Submitter, Unknown, file_id,
};

use super::{
    dirtiers::{SECTOR, outstanding},
    fields::{OP_DISCARD, OP_READ, OP_SECURE_ERASE, OP_WRITE, has},
    tables::{self, CpuPtr},
};
use crate::{
    facts,
    support::{
        count::add_shared,
        memory::{load, read_or_zero},
        now_ns, opaque,
        task::{S_IFBLK, S_IFMT},
    },
};

/// Bios that are looked at of a request that many were merged into. The others are taken to be like them.
const BIOS: usize = 8;
/// Bytes of a `struct bio_vec`.
const VEC: u64 = 16;
/// Low bits of `page->mapping`: not a file's page.
const MAPPING_FLAGS: u64 = 3;
/// Loading the programs takes less: what became dirty so soon after the beginning was not seen yet.
const LOADING_NS: u64 = 1_000_000_000;
/// [`Dirtier::given`] of one who is given all.
const ALL: u64 = u16::MAX as u64;

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

/// What the kernel says of a request or bio.
pub struct Submitted {
    /// The first one.
    pub bio: *const u8,
    pub disk: *const u8,
    pub flags: u32,
    pub bytes: u32,
}

/// Finds the owners of a request that is about to be handed to its driver: no bio is merged into it any more.
///
/// # Safety
/// `to` points into a map value, what was submitted is trusted.
#[inline(always)]
pub unsafe fn find(cpu: CpuPtr, program: Program, to: *mut Request, of: &Submitted) {
    let &Submitted { bio, disk, flags, bytes } = of;
    // SAFETY: promised by the caller.
    let (submitter, kind) = unsafe { ((*to).submitter, (*to).kind) };
    let how = match (flags & 0xff, kind) {
        (OP_READ, _) if has(flags, &facts::REQ_SWAP) => How::Swap,
        (OP_DISCARD | OP_SECURE_ERASE, _) => How::Discard,
        (_, kind) if kind == Submitter::Journal as u32 => How::Journal,
        (_, kind) if kind == Submitter::KernelThread as u32 => {
            if has(flags, &facts::REQ_META) {
                How::Metadata
            } else {
                How::KernelThread
            }
        }
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
    let (bio, disk) = (tables::as_number(cpu, program, bio), tables::as_number(cpu, program, disk));
    // SAFETY: promised by the caller.
    unsafe { find_writers(cpu, program, to, bio, disk, &own, has(flags, &facts::REQ_SWAP)) };
}

/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn find_writers(
    cpu: CpuPtr,
    program: Program,
    to: *mut Request,
    mut bio: u64,
    disk: u64,
    own: &Share,
    swap: bool,
) {
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
            unsafe { add(cpu, program, to, owner, how, bytes) };
        } else {
            // SAFETY: promised by the caller.
            unsafe { split(cpu, program, to, mapping, disk, own, bytes) };
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
unsafe fn split(cpu: CpuPtr, program: Program, to: *mut Request, mapping: u64, disk: u64, own: &Share, bytes: u32) {
    let inode: u64 = read_or_zero(mapping, facts::MAPPING_HOST.load());
    let number: u64 = read_or_zero(inode, facts::INODE_NUMBER.load());
    let generation: u32 = read_or_zero(inode, facts::INODE_GENERATION.load());
    let own_disk = own_disk(inode);
    let is_own = own_disk == 0 || own_disk == disk;
    // SAFETY: promised by the caller.
    let left = unsafe { share_out(cpu, program, to, file_id(inode, number, generation), is_own, bytes) };
    if left >= SECTOR {
        let (owner, how) = if is_in_memory(inode) {
            (own.owner, own.how)
        } else {
            (why_unknown(inode) as OwnerId, How::Writeback as u32)
        };
        // SAFETY: promised by the caller.
        unsafe { add(cpu, program, to, owner, how, left) };
    }
}

/// Gives bytes of a file to those who dirtied them, in proportion; all that they have dirty, where that is less. What is left over is
/// returned.
///
/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn share_out(cpu: CpuPtr, program: Program, to: *mut Request, file: FileId, is_own: bool, bytes: u32) -> u32 {
    if bytes == 0 {
        return 0;
    }
    let Some(table) = tables::dirty_table(file) else { return bytes };
    let is_own = tables::choice(cpu, program, is_own);
    let (mut dirty, mut was_given) = (0, 0);
    for at in 0..PLACES {
        // SAFETY: a map value, the index is in bounds.
        unsafe {
            let dirtier = &raw const (*table).places[at];
            if (*dirtier).file == file {
                dirty += outstanding(dirtier);
                was_given |= u64::from((*dirtier).was_given);
            }
        }
    }
    // What the own disk was not seen to be given: of a file system of several disks, or one of many bios of a request.
    let is_first = tables::choice(cpu, program, is_own.either(0, was_given) == 0);
    let size = u64::from(bytes);
    // A disk below may be given pages of several files in one bio: its first page stands for all of them.
    let whole = is_first.either(is_own.either(dirty.max(size), dirty), ALL);
    // SAFETY: not 0, and the same afterwards.
    let whole = unsafe { NonZeroU64::new_unchecked(tables::forget(cpu, program, whole.max(1))) };
    let mut left = bytes;
    for at in 0..PLACES {
        // SAFETY: as above; `to` is promised by the caller.
        unsafe {
            let dirtier = &raw mut (*table).places[at];
            if (*dirtier).file != file {
                continue;
            }
            let Dirtier { was_given, given, .. } = *dirtier;
            let weight = is_first.either(outstanding(dirtier), given.into());
            let part = size * weight / whole;
            add_shared(&raw mut (*dirtier).bytes, is_first.either(part.min(weight).wrapping_neg(), 0));
            (*dirtier).was_given = is_own.either(1, was_given.into()) as u16;
            (*dirtier).given = is_own.either((part * ALL / size).min(ALL), given.into()) as u16;
            if part != 0 {
                add(cpu, program, to, (*dirtier).owner, How::Writeback as u32, part as u32);
                left = left.saturating_sub(part as u32);
            }
        }
    }
    left
}

/// The disk that an inode's pages are written to; 0 where that is not known.
#[inline(always)]
fn own_disk(inode: u64) -> u64 {
    let (Some(mode_at), Some(device_at)) = (facts::INODE_MODE.get(), facts::INODE_BDEV.get()) else { return 0 };
    let (Some(super_at), Some(bdev_at)) = (facts::INODE_SUPER.get(), facts::SUPER_BDEV.get()) else { return 0 };
    let is_device = read_or_zero::<u16>(inode, mode_at) & S_IFMT == S_IFBLK;
    let bdev =
        if is_device { inode.wrapping_add(device_at) } else { read_or_zero(read_or_zero(inode, super_at), bdev_at) };
    read_or_zero(bdev, facts::BDEV_DISK.load())
}

/// Why nobody is known to have dirtied a file's pages.
#[inline(always)]
fn why_unknown(inode: u64) -> Unknown {
    let Some(dirtied_at) = facts::INODE_DIRTIED.get() else { return Unknown::DirtiedBefore };
    // SAFETY: the helper has no precondition.
    let now = unsafe { generated::bpf_jiffies64() };
    let ticks = now.wrapping_sub(read_or_zero(inode, dirtied_at));
    let dirtied_ns = now_ns().saturating_sub(ticks.wrapping_mul(facts::TICK_NS.load()));
    if dirtied_ns > facts::STARTED_NS.load() + LOADING_NS { Unknown::NotNoted } else { Unknown::DirtiedBefore }
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

/// Adds bytes to an owner's share: its own, the first that is free, or that of all others.
///
/// # Safety
/// As [`find`].
#[inline(always)]
unsafe fn add(cpu: CpuPtr, program: Program, to: *mut Request, owner: OwnerId, how: u32, bytes: u32) {
    let mut place = SHARES;
    for at in (0..SHARES).rev() {
        // SAFETY: promised by the caller, the index is in bounds.
        unsafe {
            let share = &raw const (*to).shares[at];
            if (*share).bytes == 0 || ((*share).owner == owner && (*share).how == how) {
                place = at;
            }
        }
    }
    let place = tables::forget(cpu, program, place as u64) as usize;
    let (place, owner) = if place < SHARES { (place, owner) } else { (SHARES - 1, Unknown::NotNoted as OwnerId) };
    // SAFETY: promised by the caller, the index is masked.
    unsafe {
        let share = &raw mut (*to).shares[opaque(place) & (SHARES - 1)];
        ((*share).owner, (*share).how) = (owner, how);
        (*share).bytes += bytes;
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
