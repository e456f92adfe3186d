//! Fields of requests and bios, and of what is reached from one.

use stillwatch_common::io::Op;

use crate::facts::{self, ABSENT};

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
pub fn wants_flush(flags: u32) -> bool {
    flags & (1 << facts::REQ_PREFLUSH.load() | 1 << facts::REQ_FUA.load()) != 0
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
    if facts::RQ_DISK.load() != ABSENT {
        return field!(rq, RQ_DISK: *const u8);
    }
    let queue = field!(rq, RQ_QUEUE: *const u8);
    field!(queue, QUEUE_DISK: *const u8)
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
    if facts::BIO_BDEV.load() != ABSENT {
        let bdev = field!(bio, BIO_BDEV: *const u8);
        return (field!(bdev, BDEV_DISK: *const u8), field!(bdev, BDEV_DEV: u32));
    }
    let disk = field!(bio, BIO_DISK: *const u8);
    (disk, number_of(disk) + u32::from(field!(bio, BIO_PARTNO: u8)))
}
