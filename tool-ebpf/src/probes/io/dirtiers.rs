//! Who dirtied which file: how many bytes each of a few processes has dirtied and its disk has not been given yet.

use stillwatch_common::io::{Dirtier, DirtyTable, FileId, PLACES, Program, file_id};

use super::tables;
use crate::{
    facts,
    support::{count::add_shared, dirty::DirtyPage, memory::load, now_ns, opaque},
};

/// From `xa_flags` to the marks in them: what is below is the lock's.
const MARKS: u32 = 16;
/// After 30 s the kernel writes what is dirty, unless told otherwise; in units of 2^30 ns.
const EXPIRED: u32 = 30;
/// Less than this is what divisions leave over.
pub const SECTOR: u32 = 512;

/// `writeback_dirty_folio`: somebody made a page of a file dirty.
#[inline(always)]
pub fn dirty(page: &DirtyPage) {
    let Some(cpu) = tables::cpu(Program::Dirty) else { return };
    let &DirtyPage { mapping, bytes, task, owner, .. } = page;
    let file = file_id(tables::as_number(cpu, Program::Dirty, page.inode), page.number, page.generation);
    let Some(table) = tables::dirty_table(file) else { return };
    let (mut own, mut others) = (PLACES, false);
    for at in 0..PLACES {
        // SAFETY: a map value, the index is in bounds.
        unsafe {
            let dirtier = &raw const (*table).places[at];
            if (*dirtier).file == file {
                if (*dirtier).owner == owner {
                    own = at;
                } else {
                    others = true;
                }
            }
        }
    }
    if others {
        // SAFETY: the mapping is trusted; a map value.
        unsafe {
            let room = if has_marks(mapping) { bytes_in_memory(mapping).wrapping_sub(bytes) } else { 0 };
            fit(table, file, room);
        }
    }
    if own < PLACES {
        // SAFETY: a map value, the index was just bounded.
        return unsafe { add_shared(&raw mut (*table).places[own].bytes, bytes) };
    }
    let since = (now_ns() >> 30) as u32;
    // SAFETY: a map value.
    unsafe { take_place(table, &Dirtier { file, owner, bytes, since, was_given: 0, given: 0 }) };
    tables::name(cpu, owner, task, 0);
}

/// Nobody can have more dirty than the file has in memory, and nothing where no other page is dirty: the rest was truncated away.
///
/// # Safety
/// `table` points into a map value.
#[inline(always)]
unsafe fn fit(table: *mut DirtyTable, file: FileId, room: u64) {
    for at in 0..PLACES {
        // SAFETY: promised by the caller, the index is in bounds.
        unsafe {
            let dirtier = &raw mut (*table).places[at];
            if (*dirtier).file == file && outstanding(dirtier) > room {
                (*dirtier).bytes = room;
            }
        }
    }
}

/// Takes a place that holds nothing dirty, or else the oldest of those that will have been written since, or else one by chance: were it
/// the oldest then, too, all that a disk is given first would be without its owner. The kernel holds the lock of this file's mapping, not
/// that of others: where two CPUs want a place of a table at once, at most one gets it. A mixture of both would name a wrong owner.
///
/// # Safety
/// `table` points into a map value.
#[inline(always)]
unsafe fn take_place(table: *mut DirtyTable, new: &Dirtier) {
    // SAFETY: promised by the caller, indexes are masked.
    unsafe {
        let busy = &raw mut (*table).busy;
        // Whoever reads 1 is alone until it takes that back.
        add_shared(busy, 1);
        if busy.read_volatile() == 1 {
            let (mut place, mut oldest) = ((new.file >> 32) as usize, new.since.saturating_sub(EXPIRED).max(1));
            for at in 0..PLACES {
                let dirtier = &raw const (*table).places[at];
                let since = if outstanding(dirtier) < SECTOR.into() { 0 } else { (*dirtier).since };
                if since < oldest {
                    (place, oldest) = (at, since);
                }
            }
            (*table).places[opaque(place) & (PLACES - 1)] = *new;
        }
        add_shared(busy, 1_u64.wrapping_neg());
    }
}

/// Whether some page of a file is dirty or being written. One that is about to become dirty is not marked yet.
///
/// # Safety
/// `mapping` is trusted.
#[inline(always)]
unsafe fn has_marks(mapping: *const u8) -> bool {
    let Some(marks_at) = facts::MAPPING_MARKS.get() else { return true };
    // SAFETY: promised by the caller.
    unsafe { load::<u32>(mapping, marks_at) >> MARKS != 0 }
}

/// # Safety
/// `mapping` is trusted.
#[inline(always)]
unsafe fn bytes_in_memory(mapping: *const u8) -> u64 {
    let Some(pages_at) = facts::MAPPING_PAGES.get() else { return u64::MAX };
    // SAFETY: promised by the caller.
    unsafe { load::<u64>(mapping, pages_at) }.wrapping_mul(facts::PAGE_BYTES.load().into())
}

/// Bytes that are dirty and were not given to the disk. Two that write at the same moment may both take the last ones.
///
/// # Safety
/// `dirtier` points into a map value.
#[inline(always)]
pub unsafe fn outstanding(dirtier: *const Dirtier) -> u64 {
    // SAFETY: promised by the caller.
    let bytes = unsafe { (&raw const (*dirtier).bytes).read_volatile() };
    bytes & !(bytes as i64 >> 63) as u64
}
