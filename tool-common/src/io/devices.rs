//! What devices do: operations, the rows and cells that count them, requests.

use super::{OwnerId, SHARES, Share};
use crate::hist;

/// What a request asks of a device; also the order of the rows of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Op {
    Read,
    Write,
    /// `REQ_SYNC`: somebody waits for it.
    SyncWrite,
    Flush,
    Discard,
    Other,
}

impl Op {
    pub const ALL: [Op; 6] = [Op::Read, Op::Write, Op::SyncWrite, Op::Flush, Op::Discard, Op::Other];

    /// From its number.
    pub fn of(number: u32) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Other)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::SyncWrite => "sync write",
            Self::Flush => "flush",
            Self::Discard => "discard",
            Self::Other => "other",
        }
    }
}

/// Pairs of (device, operation) that have a row each, handed out as they first occur. The last is never handed out: what
/// finds no other counts there.
pub const ROWS: usize = 256;
/// The row of what found no other.
pub const NO_ROW: u32 = ROWS as u32 - 1;

/// Distributions of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// From the making of the request to its handing over to the driver.
    Queue,
    /// From there to its completion.
    Service,
    Total,
}

pub const PARTS: usize = 3;

/// Histogram rows (one octave of one distribution) that a host can use.
pub const CELLS: usize = 2048;
/// CPUs share a shard by the low bits of their number.
pub const SHARDS: usize = 16;
/// Columns of [`Layout::cell`]: [`hist::ROWS`], rounded up so that a bounded index is one shift away.
pub const STRIDE: usize = 40;

/// What is counted for one (device, operation). Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct DeviceCounts {
    /// Requests that were completed.
    pub ios: u64,
    pub bytes: u64,
    pub errors: u64,
    /// Of `ios`: those without a latency.
    pub untimed: u64,
    /// By [`Stage`].
    pub total_ns: [u64; PARTS],
    /// The longest since the start of measuring; never reset. By [`Stage`].
    pub max_ns: [u64; PARTS],
}

#[repr(C, align(64))]
pub struct Shard {
    pub rows: [DeviceCounts; ROWS],
    pub cells: [hist::Octave; CELLS],
}

/// What a row stands for: a device number as the kernel keeps it (12 bits major, 20 bits minor) and an operation.
#[inline(always)]
pub const fn row_key(dev: u32, op: u8) -> u64 {
    (dev as u64) << 8 | op as u64
}

/// A request that is not completed, keyed by its address; on devices without a request queue a bio.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Request {
    pub queued_ns: u64,
    /// 0 while it waits to be handed to the driver.
    pub issued_ns: u64,
    pub sector: u64,
    pub bytes: u32,
    pub row: u32,
    pub submitter: OwnerId,
    /// [`Submitter`].
    pub kind: u32,
    /// Number of the device or partition.
    pub dev: u32,
    pub shares: [Share; SHARES],
}

/// A single request over the threshold, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Slow {
    pub done_ns: u64,
    pub queue_ns: u64,
    pub service_ns: u64,
    pub total_ns: u64,
    pub sector: u64,
    pub bytes: u64,
    pub owner: OwnerId,
    pub dev: u32,
    pub how: u32,
    pub op: u32,
    pub failed: u32,
}

/// [`Slow::queue_ns`] and [`Slow::service_ns`] that are not known.
pub const UNKNOWN_NS: u64 = u64::MAX;
