//! Devices without a request queue (dm, md, zram): what they do shows at the bios that they are given.

use stillwatch_common::io::{How, Op, Program, Request, Share};

use super::{
    done::{Ended, finish},
    fields::{field, operation, target_of, wants_flush},
    owners::{self, Submitted},
    submitters::submitter,
    tables,
};
use crate::support::now_ns;

/// `block_bio_queue`: a bio goes to a device. One with a request queue makes a request of it, which other hooks see.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn bio_queue(bio: *const u8) {
    let Some(cpu) = tables::cpu(Program::BioQueue) else { return };
    let (disk, dev) = target_of(bio);
    let queue = field!(disk, DISK_QUEUE: *const u8);
    if field!(queue, QUEUE_MQ_OPS: u64) != 0 {
        return;
    }
    let flags = field!(bio, BIO_FLAGS: u32);
    let (submitter, kind) = submitter(cpu, tables::as_number(cpu, Program::BioQueue, bio));
    let (bytes, sector) = (field!(bio, BIO_SIZE: u32), field!(bio, BIO_SECTOR: u64));
    // A bio that only asks for a flush carries no data.
    let op = if bytes == 0 && wants_flush(flags) { Op::Flush } else { operation(flags) };
    // The entry of another bio that had this address and never ended is used again.
    let Some(known) = tables::request(bio as u64).or_else(|| tables::add_request(cpu, bio as u64)) else { return };
    // SAFETY: a map value.
    unsafe {
        (*known).issued_ns = 0;
        ((*known).bytes, (*known).sector) = (bytes, sector);
        (*known).row = tables::row_of(cpu, dev, op as u8);
        ((*known).submitter, (*known).kind, (*known).dev) = (submitter, kind, dev);
        if op as u8 == Op::Flush as u8 {
            owners::only(known, Share { owner: submitter, bytes: 1, how: How::Flush as u32 });
        } else {
            owners::find(cpu, Program::BioQueue, known, &Submitted { bio, disk, flags, bytes });
        }
    }
    tables::begin(known, now_ns());
}

/// `block_bio_complete`: a bio is over.
///
/// # Safety
/// `bio` is trusted.
#[inline(always)]
pub unsafe fn bio_complete(bio: *const u8) {
    let Some(cpu) = tables::cpu(Program::BioComplete) else { return };
    let Some(known) = tables::request_in_flight(bio as u64) else { return };
    // SAFETY: a map value.
    let Request { queued_ns, bytes, row, dev, sector, .. } = unsafe { *known };
    let failed = field!(bio, BIO_STATUS: u8) != 0;
    let op = operation(field!(bio, BIO_FLAGS: u32));
    let ended = Ended { at_ns: now_ns(), queued_ns, issued_ns: 0, bytes, dev, row, op, failed };
    finish(cpu, Program::BioComplete, Some(known), &ended, sector);
    tables::forget_bio(bio as u64);
}
