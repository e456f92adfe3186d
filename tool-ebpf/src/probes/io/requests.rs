//! What devices with a request queue do: the kernel makes a request of one or more bios, queues it, and hands it to the driver.

use stillwatch_common::io::{How, Program, Request, Share, Submitter};

use super::{
    done::{Ended, finish},
    fields::{OP_FLUSH, OP_WRITE, dev_of, disk_of, field, operation},
    owners::{self, Submitted},
    submitters::{made_by, submitter, take_flush},
    tables::{self, CpuPtr, Done},
};
use crate::{
    facts::{self, on},
    support::now_ns,
};

/// `block_rq_insert`: a request waits for its turn. Also when it comes back from the driver to be tried again.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn insert(rq: *const u8) {
    let Some(cpu) = tables::cpu(Program::Insert) else { return };
    find_or_add(cpu, Program::Insert, rq);
}

/// `block_rq_issue`: a request is handed to its driver.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn issue(rq: *const u8) {
    let Some(cpu) = tables::cpu(Program::Issue) else { return };
    let Some(known) = find_or_add(cpu, Program::Issue, rq) else { return };
    let flags = field!(rq, RQ_FLAGS: u32);
    let (bytes, sector) = (field!(rq, RQ_LEN: u32), field!(rq, RQ_SECTOR: u64));
    let bio = field!(rq, RQ_BIO: *const u8);
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
            owners::only(known, Share { owner: take_flush(rq), bytes: 1, how: How::Flush as u32 });
        } else {
            let disk = disk_of(rq);
            owners::find(cpu, Program::Issue, known, &Submitted { bio, disk, flags, bytes });
        }
    }
}

/// The entry of a request. Where its bio is not known, the first that shows a request to us mostly runs at the hand of its
/// submitter: only later the queue is run by whoever comes along.
#[inline(always)]
fn find_or_add(cpu: CpuPtr, program: Program, rq: *const u8) -> Option<*mut Request> {
    let queued_ns = field!(rq, RQ_START: u64);
    let known = tables::request(rq as u64);
    if let Some(known) = known {
        // SAFETY: a map value.
        let known_ns = unsafe { (*known).queued_ns };
        // Addresses are used again; one that was merged into another never completes.
        if known_ns != 0 && (queued_ns == 0 || known_ns == queued_ns) {
            return Some(known);
        }
    }
    let flags = field!(rq, RQ_FLAGS: u32);
    let bio = tables::as_number(cpu, program, field!(rq, RQ_BIO: *const u8));
    let (submitter, kind) = made_by(bio).unwrap_or_else(|| submitter(cpu, bio));
    let dev = dev_of(rq);
    let known = match known {
        Some(known) => known,
        None => tables::add_request(cpu, rq as u64)?,
    };
    let how = if kind == Submitter::Process as u32 { How::Direct } else { How::KernelThread };
    let bytes = field!(rq, RQ_LEN: u32);
    // SAFETY: a map value.
    unsafe {
        (*known).issued_ns = 0;
        (*known).bytes = bytes;
        (*known).row = tables::row_of(cpu, dev, operation(flags) as u8);
        ((*known).submitter, (*known).kind, (*known).dev) = (submitter, kind, dev);
        // Until it is issued; one that fails before that is its submitter's.
        owners::only(known, Share { owner: submitter, bytes: 0, how: how as u32 });
    }
    tables::begin(known, if queued_ns != 0 { queued_ns } else { now_ns() });
    Some(known)
}

/// `block_rq_merge`: a request was merged into its neighbour, and is none any more.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn merge(rq: *const u8) {
    if tables::cpu(Program::Merge).is_some()
        && let Some(known) = tables::request(rq as u64)
    {
        tables::end(known);
    }
}

/// `block_rq_complete`: a device has done `bytes` of a request.
///
/// # Safety
/// `rq` is trusted.
#[inline(always)]
pub unsafe fn complete(rq: *const u8, failed: bool, bytes: u32) {
    let Some(cpu) = tables::cpu(Program::Complete) else { return };
    let flags = field!(rq, RQ_FLAGS: u32);
    let op = operation(flags);
    let left = field!(rq, RQ_LEN: u32);
    if bytes == 0 && left == 0 && flags & 0xff == OP_WRITE && !failed {
        // The end of a sequence of flushes, whose parts were counted as they ended.
        return;
    }
    let known = if on(&facts::IO_WHO) { tables::request_in_flight(rq as u64) } else { None };
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
    finish(cpu, Program::Complete, known, &ended, field!(rq, RQ_SECTOR: u64));
    if let Some(known) = known {
        tables::end(known);
    }
}
