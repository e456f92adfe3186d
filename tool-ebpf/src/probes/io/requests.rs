//! What devices do.

use stillwatch_common::io::{
    Cause, How, Loss, Making, Op, OwnerId, Part, Request, Run, SHARES, Share, Slow, Submitter, UNKNOWN_NS, Unknown,
    Work,
};

use super::{
    owners::{self, OP_DISCARD, OP_FLUSH, OP_READ, OP_SECURE_ERASE, OP_WRITE, OP_WRITE_ZEROES},
    tables::{self, CpuPtr, Done},
};
use crate::{
    facts::{self, ABSENT, on},
    support::{memory::load, now_ns, task::Task},
};

/// First bytes of the name of jbd2's threads.
const JBD2: u64 = u32::from_le_bytes(*b"jbd2") as u64;

#[inline(always)]
fn operation(flags: u32) -> Op {
    let sync = 1 << facts::REQ_SYNC.load() | 1 << facts::REQ_FUA.load() | 1 << facts::REQ_PREFLUSH.load();
    match flags & 0xff {
        OP_READ => Op::Read,
        OP_WRITE if flags & sync != 0 => Op::SyncWrite,
        OP_WRITE | OP_WRITE_ZEROES => Op::Write,
        OP_FLUSH => Op::Flush,
        OP_DISCARD | OP_SECURE_ERASE => Op::Discard,
        _ => Op::Other,
    }
}

#[inline(always)]
fn wants_flush(flags: u32) -> bool {
    flags & (1 << facts::REQ_PREFLUSH.load() | 1 << facts::REQ_FUA.load()) != 0
}

/// A field of a request, and of what is reached from one.
macro_rules! field {
    ($base:expr, $fact:ident: $type:ty) => {
        // SAFETY: the callers of this module promise trusted pointers; the verifier checks them.
        unsafe { load::<$type>($base, facts::$fact.load()) }
    };
}

/// Number of a disk: 12 bits major, 20 bits minor, as `dev_t` has them.
#[inline(always)]
fn number_of(disk: *const u8) -> u32 {
    field!(disk, DISK_MAJOR: u32) << 20 | field!(disk, DISK_MINOR: u32)
}

#[inline(always)]
fn disk_of(rq: *const u8) -> *const u8 {
    if facts::RQ_DISK.load() != ABSENT {
        return field!(rq, RQ_DISK: *const u8);
    }
    let queue = field!(rq, RQ_QUEUE: *const u8);
    field!(queue, QUEUE_DISK: *const u8)
}

/// Number of the partition that a request is for, or of the disk.
#[inline(always)]
fn dev_of(rq: *const u8) -> u32 {
    let part = field!(rq, RQ_PART: *const u8);
    if part.is_null() { number_of(disk_of(rq)) } else { field!(part, PART_DEV: u32) }
}

/// Who runs now.
#[inline(always)]
fn submitter(cpu: CpuPtr) -> (OwnerId, u32) {
    let task = Task::current();
    let kind = if !task.is_kernel_thread() {
        Submitter::Process
    } else if task.comm()[0] & 0xffff_ffff == JBD2 {
        Submitter::Journal
    } else {
        Submitter::KernelThread
    };
    let owner = task.owner();
    tables::name(cpu, owner, task);
    (owner, kind as u32)
}

/// `block_getrq`: a bio becomes a request, still at the hand of its submitter. Some go their own ways from here, and first show
/// themselves at the hand of a kernel worker: those that empty the device's cache, and those that the device had no room for.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn getrq(bio: *const u8) {
    let Some(cpu) = tables::cpu(Run::Getrq) else { return };
    let flags = field!(bio, BIO_FLAGS: u32);
    let (owner, kind) = submitter(cpu);
    let address = tables::as_number(cpu, Run::Getrq, bio);
    if let Some(making) = tables::making(address) {
        // SAFETY: a map value.
        unsafe { *making = Making { bio: address, owner, kind, pad: 0 } };
    }
    if flags >> facts::REQ_PREFLUSH.load() & 1 == 0 {
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

/// `block_rq_insert`: a request waits for its turn. Also when it comes back from the driver to be tried again.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn insert(rq: *const u8) {
    let Some(cpu) = tables::cpu(Run::Insert) else { return };
    find_or_add(cpu, Run::Insert, rq);
}

/// `block_rq_issue`: a request is handed to its driver.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn issue(rq: *const u8) {
    let Some(cpu) = tables::cpu(Run::Issue) else { return };
    let Some(known) = find_or_add(cpu, Run::Issue, rq) else { return };
    let flags = field!(rq, RQ_FLAGS: u32);
    let (bytes, sector) = (field!(rq, RQ_LEN: u32), field!(rq, RQ_SECTOR: u64));
    let bio = tables::as_number(cpu, Run::Issue, field!(rq, RQ_BIO: *const u8));
    // SAFETY: a map value.
    unsafe {
        let again = (*known).issued_ns != 0;
        (*known).issued_ns = now_ns();
        (*known).sector = sector;
        (*known).bytes = bytes;
        if again {
            return;
        }
        if flags & 0xff == OP_FLUSH {
            (*known).shares[0] = Share { owner: take_flush(rq), bytes: 1, how: How::Flush as u32 };
        } else {
            owners::find(known, bio, flags, bytes);
        }
    }
}

/// Who asked for the flush that now begins.
#[inline(always)]
fn take_flush(rq: *const u8) -> OwnerId {
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
fn made_by(bio: u64) -> Option<(OwnerId, u32)> {
    let making = tables::making(bio)?;
    // SAFETY: a map value.
    let Making { bio: known, owner, kind, .. } = unsafe { *making };
    (bio != 0 && known == bio).then_some((owner, kind))
}

/// The entry of a request. Where its bio is not known, the first that shows a request to us mostly runs at the hand of its
/// submitter: only later the queue is run by whoever comes along.
#[inline(always)]
fn find_or_add(cpu: CpuPtr, run: Run, rq: *const u8) -> Option<*mut Request> {
    let queued_ns = field!(rq, RQ_START: u64);
    if let Some(known) = tables::request(rq as u64) {
        // Addresses are used again; one that was merged into another never completes.
        // SAFETY: a map value.
        if queued_ns == 0 || unsafe { (*known).queued_ns } == queued_ns {
            return Some(known);
        }
    }
    let flags = field!(rq, RQ_FLAGS: u32);
    let bio = tables::as_number(cpu, run, field!(rq, RQ_BIO: *const u8));
    let (submitter, kind) = made_by(bio).unwrap_or_else(|| submitter(cpu));
    let dev = dev_of(rq);
    // SAFETY: all zeros are an empty entry.
    let mut new: Request = unsafe { core::mem::zeroed() };
    new.queued_ns = if queued_ns != 0 { queued_ns } else { now_ns() };
    new.bytes = field!(rq, RQ_LEN: u32);
    new.row = tables::row_of(cpu, dev, operation(flags) as u8);
    (new.submitter, new.kind, new.dev) = (submitter, kind, dev);
    // Until it is issued; one that fails before that is its submitter's.
    let how = if kind == Submitter::Process as u32 { How::Direct } else { How::KernelThread };
    new.shares[0] = Share { owner: submitter, bytes: 0, how: how as u32 };
    tables::add_request(cpu, rq as u64, &new)
}

/// `block_rq_merge`: a request was merged into its neighbour, and is none any more.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn merge(rq: *const u8) {
    if tables::cpu(Run::Merge).is_some() {
        tables::forget_request(rq as u64);
    }
}

/// `block_rq_complete`: a device has done `bytes` of a request.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn complete(rq: *const u8, failed: bool, bytes: u32) {
    let Some(cpu) = tables::cpu(Run::Complete) else { return };
    let flags = field!(rq, RQ_FLAGS: u32);
    let op = operation(flags);
    let left = field!(rq, RQ_LEN: u32);
    if bytes == 0 && left == 0 && flags & 0xff == OP_WRITE && !failed {
        // The end of a sequence of flushes, whose parts were counted as they ended.
        return;
    }
    let known = if on(&facts::IO_WHO) { tables::request(rq as u64) } else { None };
    let (dev, row) = match known {
        // SAFETY: a map value.
        Some(known) => unsafe { ((*known).dev, (*known).row) },
        None => {
            let dev = dev_of(rq);
            (dev, tables::row_of(cpu, dev, op as u8))
        }
    };
    if bytes < left {
        return tables::count(row, &Done { bytes: bytes.into(), ios: 0, errors: 0, untimed: 0 });
    }
    let (mut queued_ns, mut issued_ns) = (field!(rq, RQ_START: u64), field!(rq, RQ_IO_START: u64));
    if let Some(known) = known {
        // Where the kernel does not keep these, we do.
        // SAFETY: a map value.
        unsafe {
            queued_ns = if queued_ns == 0 { (*known).queued_ns } else { queued_ns };
            issued_ns = if issued_ns == 0 { (*known).issued_ns } else { issued_ns };
        }
    }
    let ended = Ended { at_ns: now_ns(), queued_ns, issued_ns, bytes, dev, row, op, failed };
    finish(cpu, known, &ended, field!(rq, RQ_SECTOR: u64));
    if known.is_some() {
        tables::forget_request(rq as u64);
    }
}

/// A request (or bio) that is over.
struct Ended {
    at_ns: u64,
    /// 0: not known.
    queued_ns: u64,
    /// 0: not known.
    issued_ns: u64,
    /// Of the last part.
    bytes: u32,
    dev: u32,
    row: u32,
    op: Op,
    failed: bool,
}

#[inline(always)]
fn finish(cpu: CpuPtr, known: Option<*mut Request>, ended: &Ended, sector: u64) {
    let &Ended { at_ns, queued_ns, issued_ns, row, .. } = ended;
    let total_ns = at_ns.wrapping_sub(queued_ns);
    let mut timed = queued_ns != 0 && tables::record(row, Part::Total, total_ns);
    let (mut queue_ns, mut service_ns) = (UNKNOWN_NS, UNKNOWN_NS);
    if timed && issued_ns >= queued_ns {
        queue_ns = issued_ns.wrapping_sub(queued_ns);
        service_ns = at_ns.wrapping_sub(issued_ns);
        timed = tables::record(row, Part::Queue, queue_ns) && tables::record(row, Part::Service, service_ns);
    }
    if queued_ns != 0 && !timed {
        tables::lose(cpu, Loss::Cells);
    }
    let untimed = u64::from(!timed);
    tables::count(row, &Done { bytes: ended.bytes.into(), ios: 1, errors: ended.failed.into(), untimed });
    if on(&facts::IO_WHO) {
        // SAFETY: this processor's block.
        unsafe {
            (*cpu).done_ns = at_ns;
            (*cpu).done_dev = ended.dev;
            (*cpu).done_bytes = ended.bytes;
        }
        // A device without a queue serves a bio from its first moment.
        attribute(cpu, known, ended, if service_ns == UNKNOWN_NS { total_ns } else { service_ns });
    }
    if queued_ns != 0 && total_ns >= facts::IO_SLOW_NS.load() {
        let mut slow = Slow {
            done_ns: at_ns,
            queue_ns,
            service_ns,
            total_ns,
            sector,
            bytes: ended.bytes.into(),
            owner: Unknown::IssuedBefore as OwnerId,
            dev: ended.dev,
            how: How::Unknown as u32,
            op: ended.op as u32,
            failed: ended.failed.into(),
        };
        if let Some(known) = known {
            // SAFETY: a map value.
            unsafe {
                let Share { owner, how, .. } = (*known).shares[0];
                (slow.owner, slow.how, slow.bytes) = (owner, how, (*known).bytes.into());
                slow.sector = (*known).sector;
            }
        }
        tables::hand_over(cpu, slow);
    }
}

/// Adds the device's work to those it was done for.
#[inline(always)]
fn attribute(cpu: CpuPtr, known: Option<*mut Request>, ended: &Ended, service_ns: u64) {
    let Some(known) = known else {
        let cause = Cause { owner: Unknown::IssuedBefore as OwnerId, dev: ended.dev, how: How::Unknown as u32 };
        return tables::work(cpu, &cause, &Work { bytes: ended.bytes.into(), ios: 1, service_ns });
    };
    let mut sum = 0;
    for at in 0..SHARES {
        // SAFETY: a map value, the index is in bounds.
        sum += u64::from(unsafe { (*known).shares[at].bytes });
    }
    // SAFETY: as above.
    let (bytes, first) = unsafe { (u64::from((*known).bytes), (*known).shares[0]) };
    if sum <= first.bytes.into() {
        let cause = Cause { owner: first.owner, dev: ended.dev, how: first.how };
        return tables::work(cpu, &cause, &Work { bytes, ios: 1, service_ns });
    }
    for at in 0..SHARES {
        // SAFETY: as above.
        let share = unsafe { (*known).shares[at] };
        if share.bytes == 0 {
            break;
        }
        let cause = Cause { owner: share.owner, dev: ended.dev, how: share.how };
        let part = |of: u64| of * u64::from(share.bytes) / sum;
        tables::work(cpu, &cause, &Work { bytes: part(bytes), ios: 1, service_ns: part(service_ns) });
    }
}

/// The disk that a bio is for, and the number of the device or partition.
#[inline(always)]
fn target_of(bio: *const u8) -> (*const u8, u32) {
    if facts::BIO_BDEV.load() != ABSENT {
        let bdev = field!(bio, BIO_BDEV: *const u8);
        return (field!(bdev, BDEV_DISK: *const u8), field!(bdev, BDEV_DEV: u32));
    }
    let disk = field!(bio, BIO_DISK: *const u8);
    (disk, number_of(disk) + u32::from(field!(bio, BIO_PARTNO: u8)))
}

/// `block_bio_queue`: a bio goes to a device. One with a request queue makes a request of it, which other hooks see.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn bio_queue(bio: *const u8) {
    let Some(cpu) = tables::cpu(Run::BioQueue) else { return };
    let (disk, dev) = target_of(bio);
    let queue = field!(disk, DISK_QUEUE: *const u8);
    if field!(queue, QUEUE_MQ_OPS: u64) != 0 {
        return;
    }
    let flags = field!(bio, BIO_FLAGS: u32);
    let (submitter, kind) = submitter(cpu);
    let bytes = field!(bio, BIO_SIZE: u32);
    // SAFETY: all zeros are an empty entry.
    let mut new: Request = unsafe { core::mem::zeroed() };
    new.queued_ns = now_ns();
    (new.bytes, new.sector) = (bytes, field!(bio, BIO_SECTOR: u64));
    // A bio that only asks for a flush carries no data.
    let op = if bytes == 0 && wants_flush(flags) { Op::Flush } else { operation(flags) };
    new.row = tables::row_of(cpu, dev, op as u8);
    (new.submitter, new.kind, new.dev) = (submitter, kind, dev);
    let Some(known) = tables::add_request(cpu, bio as u64, &new) else { return };
    // SAFETY: a map value.
    unsafe {
        if op as u8 == Op::Flush as u8 {
            (*known).shares[0] = Share { owner: submitter, bytes: 1, how: How::Flush as u32 };
        } else {
            owners::find(known, tables::as_number(cpu, Run::BioQueue, bio), flags, bytes);
        }
    }
}

/// `block_bio_complete`: a bio is over.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn bio_complete(bio: *const u8) {
    let Some(cpu) = tables::cpu(Run::BioComplete) else { return };
    let Some(known) = tables::request(bio as u64) else { return };
    // SAFETY: a map value.
    let Request { queued_ns, bytes, row, dev, sector, .. } = unsafe { *known };
    let failed = field!(bio, BIO_STATUS: u8) != 0;
    let op = operation(field!(bio, BIO_FLAGS: u32));
    let ended = Ended { at_ns: now_ns(), queued_ns, issued_ns: 0, bytes, dev, row, op, failed };
    finish(cpu, Some(known), &ended, sector);
    tables::forget_request(bio as u64);
}
