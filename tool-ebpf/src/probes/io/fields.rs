//! Fields of requests and bios, and of what is reached from one.

use stillwatch_common::{facts::Flag, io::Op};

use crate::{
    facts::{self, Optional},
    support::memory::load,
};

/// A field of a request or bio, or of what is reached from one.
macro_rules! field {
    ($base:expr, $fact:ident: $type:ty) => {
        // SAFETY: the callers of these modules promise trusted pointers; the verifier checks them.
        unsafe { $crate::support::memory::load::<$type>($base, $crate::facts::$fact.load()) }
    };
}
pub(super) use field;

pub const OP_READ: u32 = 0;
pub const OP_WRITE: u32 = 1;
pub const OP_FLUSH: u32 = 2;
pub const OP_DISCARD: u32 = 3;
pub const OP_SECURE_ERASE: u32 = 5;
pub const OP_WRITE_ZEROES: u32 = 9;

#[inline(always)]
pub fn operation(flags: u32) -> Op {
    let sync = facts::REQ_SYNC.mask() | facts::REQ_FUA.mask() | facts::REQ_PREFLUSH.mask();
    match flags & 0xff {
        OP_READ => Op::Read,
        OP_WRITE if u64::from(flags) & sync != 0 => Op::SyncWrite,
        OP_WRITE | OP_WRITE_ZEROES => Op::Write,
        OP_FLUSH => Op::Flush,
        OP_DISCARD | OP_SECURE_ERASE => Op::Discard,
        _ => Op::Other,
    }
}

/// Whether a request's flags have this one.
#[inline(always)]
pub fn has(flags: u32, flag: &Optional<Flag>) -> bool {
    u64::from(flags) & flag.mask() != 0
}

#[inline(always)]
pub fn wants_flush(flags: u32) -> bool {
    u64::from(flags) & (facts::REQ_PREFLUSH.mask() | facts::REQ_FUA.mask()) != 0
}

/// Number of a disk: 12 bits major, 20 bits minor, as `dev_t` has them. 0: there is none, as for commands by which a device is found
/// out. Tested, not left to the load: kernel 5.10 does not survive a fault in a program with functions of its own.
#[inline(always)]
pub fn number_of(disk: *const u8) -> u32 {
    if disk.is_null() {
        return 0;
    }
    field!(disk, DISK_MAJOR: u32) << 20 | field!(disk, DISK_MINOR: u32)
}

#[inline(always)]
pub fn disk_of(rq: *const u8) -> *const u8 {
    if let Some(offset) = facts::RQ_DISK.get() {
        // SAFETY: as in `field`.
        return unsafe { load(rq, offset) };
    }
    let Some(offset) = facts::QUEUE_DISK.get() else { return core::ptr::null() };
    let queue = field!(rq, RQ_QUEUE: *const u8);
    // SAFETY: as in `field`.
    unsafe { load(queue, offset) }
}

/// Number of the partition that a request is for, or of the disk.
#[inline(always)]
pub fn dev_of(rq: *const u8) -> u32 {
    let part = field!(rq, RQ_PART: *const u8);
    if part.is_null() { number_of(disk_of(rq)) } else { field!(part, PART_DEV: u32) }
}

/// The disk that a bio is for, and the number of the device or partition.
#[inline(always)]
pub fn target_of(bio: *const u8) -> (*const u8, u32) {
    if let Some(offset) = facts::BIO_BDEV.get() {
        // SAFETY: as in `field`.
        let bdev: *const u8 = unsafe { load(bio, offset) };
        return (field!(bdev, BDEV_DISK: *const u8), field!(bdev, BDEV_DEV: u32));
    }
    let (Some(disk_at), Some(part_at)) = (facts::BIO_DISK.get(), facts::BIO_PARTNO.get()) else {
        return (core::ptr::null(), 0);
    };
    // SAFETY: as in `field`.
    let (disk, part): (*const u8, u8) = unsafe { (load(bio, disk_at), load(bio, part_at)) };
    (disk, number_of(disk) + u32::from(part))
}
