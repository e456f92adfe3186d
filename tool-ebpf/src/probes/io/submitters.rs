//! Who submits requests. Some first show themselves at the hand of a kernel worker, long after their submitter has gone on.

use stillwatch_common::io::{Making, OwnerId, Program, Submitter, Unknown};

use super::{
    fields::{disk_of, field, has, number_of, target_of},
    tables::{self, CpuPtr},
};
use crate::{
    facts,
    support::{cgroup::id_of_cgroup, memory::read_or_zero, task::Task},
};

/// First bytes of the name of jbd2's threads.
const JBD2: u64 = u32::from_le_bytes(*b"jbd2") as u64;

/// Who runs now; a thread of the kernel is one for each cgroup that it works for.
#[inline(always)]
pub fn submitter(cpu: CpuPtr, bio: u64) -> (OwnerId, u32) {
    let task = Task::current();
    let kind = if !task.is_kernel_thread() {
        Submitter::Process
    } else if task.comm()[0] & 0xffff_ffff == JBD2 {
        Submitter::Journal
    } else {
        Submitter::KernelThread
    };
    let works_for = if matches!(kind, Submitter::KernelThread) { works_for(bio).unwrap_or(0) } else { 0 };
    let owner = task.owner() ^ (works_for & 0xffff_ffff);
    tables::name(cpu, owner, task, works_for);
    (owner, kind as u32)
}

/// The cgroup that a bio is charged to. A limit holds bios back and lets a worker send them, and a worker writes what a loop device was given.
/// None for the root.
#[inline(always)]
fn works_for(bio: u64) -> Option<u64> {
    let group: u64 = read_or_zero(bio, facts::BIO_BLKG.get()?);
    if read_or_zero::<u64>(group, facts::BLKG_PARENT.get()?) == 0 {
        return None;
    }
    let blkcg = read_or_zero(group, facts::BLKG_BLKCG.get()?);
    id_of_cgroup(read_or_zero(blkcg, facts::BLKCG_CGROUP.get()?))
}

/// `block_getrq`: a bio becomes a request, still at the hand of its submitter. Some go their own ways from here, and first show
/// themselves at the hand of a kernel worker: those that empty the device's cache, and those that the device had no room for.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn getrq(bio: *const u8) {
    let Some(cpu) = tables::cpu(Program::Getrq) else { return };
    let flags = field!(bio, BIO_FLAGS: u32);
    let address = tables::as_number(cpu, Program::Getrq, bio);
    let (owner, kind) = submitter(cpu, address);
    if let Some(making) = tables::making(address) {
        // SAFETY: a map value.
        unsafe { *making = Making { bio: address, owner, kind, pad: 0 } };
    }
    if !has(flags, &facts::REQ_PREFLUSH) {
        return;
    }
    let (disk, _) = target_of(bio);
    let disk = number_of(disk);
    let several = Unknown::SharedFlush as OwnerId;
    let asked = match tables::IO_FLUSHES.get_ptr(disk) {
        // SAFETY: a map value.
        Some(known) => unsafe { *known },
        None => 0,
    };
    if asked != owner {
        let _ = tables::IO_FLUSHES.insert(disk, if asked == 0 { owner } else { several }, 0);
    }
}

/// Who asked for the flush that now begins.
#[inline(always)]
pub fn take_flush(rq: *const u8) -> OwnerId {
    let disk = number_of(disk_of(rq));
    let Some(asked) = tables::IO_FLUSHES.get_ptr_mut(disk) else { return Unknown::IssuedBefore as OwnerId };
    // SAFETY: a map value.
    unsafe {
        let owner = *asked;
        *asked = 0;
        if owner == 0 { Unknown::IssuedBefore as OwnerId } else { owner }
    }
}

/// Who submitted the bio that a request begins with.
#[inline(always)]
pub fn made_by(bio: u64) -> Option<(OwnerId, u32)> {
    let making = tables::making(bio)?;
    // SAFETY: a map value.
    let Making { bio: known, owner, kind, .. } = unsafe { *making };
    (bio != 0 && known == bio).then_some((owner, kind))
}
