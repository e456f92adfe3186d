//! Wire types of the `io` probe.
//!
//! Requests complete on any processor, in interrupts too, so what is counted for devices lies in a few [`Shard`]s that
//! are added to atomically, not in a block per processor: their number bounds the memory on a machine with 256 of them.

use crate::{hist, syscalls::NATIVE};

/// What a request asks of a device; also the order of the rows of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
pub enum Part {
    /// From the making of the request to its handing over to the driver.
    Queue,
    /// From there to its completion.
    Service,
    Total,
}

pub const PARTS: usize = 3;

/// Histogram rows (one octave of one distribution) that a host can use.
pub const CELLS: usize = 2048;
/// Processors share a shard by the low bits of their number.
pub const SHARDS: usize = 16;
/// Columns of [`Layout::cell`]: [`hist::ROWS`], rounded up so that a bounded index is one shift away.
pub const STRIDE: usize = 40;

/// What is counted for one (device, operation). Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Row {
    /// Requests that were completed.
    pub ios: u64,
    pub bytes: u64,
    pub errors: u64,
    /// Of `ios`: those without a latency.
    pub untimed: u64,
    /// By [`Part`].
    pub total_ns: [u64; PARTS],
    /// The longest since the start of measuring; never reset. By [`Part`].
    pub max_ns: [u64; PARTS],
}

/// One octave of one histogram.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, Debug)]
pub struct Cell {
    pub counts: [u32; hist::ROW],
}

#[repr(C, align(64))]
pub struct Shard {
    pub rows: [Row; ROWS],
    pub cells: [Cell; CELLS],
}

/// Shared by all processors.
#[repr(C)]
pub struct Layout {
    /// Which cell holds an octave of (row × [`PARTS`] + part); 0 until it first occurs, so cell 0 is never used.
    pub cell: [[u16; STRIDE]; ROWS * PARTS],
    /// [`row_key`] of each row, once it is handed out.
    pub keys: [u64; ROWS],
    /// 1 for a call whose first argument is the descriptor of the file it works on; written by user space before the programs are
    /// attached.
    pub works_on_file: [u8; NATIVE],
}

/// What a row stands for: a device number as the kernel keeps it (12 bits major, 20 bits minor) and an operation.
#[inline(always)]
pub const fn row_key(dev: u32, op: u8) -> u64 {
    (dev as u64) << 8 | op as u64
}

/// Why something was not measured. Every one is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Loss {
    /// The table of requests was full: a request was not seen in flight, and its owner is not known.
    Requests,
    /// All [`ROWS`] or [`CELLS`] were taken.
    Cells,
    /// The table of tasks was full: a wait was not seen.
    Tasks,
    /// The table of stalls was full.
    Stalls,
    /// The table of causes was full.
    Causes,
    /// A single slow request found no room on its way to user space.
    Slow,
}

impl Loss {
    pub const ALL: [Loss; 6] = [Loss::Requests, Loss::Cells, Loss::Tasks, Loss::Stalls, Loss::Causes, Loss::Slow];
}

/// Programs whose runs are counted: our own cost is computed from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Run {
    Switch,
    Waking,
    Insert,
    Issue,
    Merge,
    Complete,
    Getrq,
    Dirty,
    BioQueue,
    BioComplete,
}

impl Run {
    pub const COUNT: usize = 10;
}

/// All that one processor writes.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Cpu {
    pub runs: [u64; Run::COUNT],
    pub lost: [u64; Loss::ALL.len()],
    /// The request that this processor completed last: the one that the next wake-ups wait for.
    pub done_ns: u64,
    pub done_dev: u32,
    pub done_bytes: u32,
    /// The row that this processor counted in last: what it stands for ([`row_key`]) << 16 | its number. One word, which an
    /// interrupt can't leave half-written.
    pub last_row: u64,
    /// The owner whose name this processor kept last, and the first half of it.
    pub last_owner: OwnerId,
    pub last_name: u64,
    /// A number that the verifier is to forget what it knows of, by [`Run`].
    pub forgotten: [u64; Run::COUNT],
}

/// Bios on their way to becoming requests; one that falls to the place of another is forgotten.
pub const MAKING: usize = 4096;

/// Who submitted a bio that becomes a request: the place of the bio's address in a table of [`MAKING`] of these.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Making {
    pub bio: u64,
    pub owner: OwnerId,
    /// [`Submitter`].
    pub kind: u32,
    pub pad: u32,
}

/// A process for as long as it lives, and no other after it: its number, and its start in units of 2^20 ns. With
/// number 0, why nobody is known ([`Unknown`]).
pub type OwnerId = u64;

#[inline(always)]
pub const fn owner_id(tgid: u32, start_ns: u64) -> OwnerId {
    (tgid as u64) << 32 | (start_ns >> 20) as u32 as u64
}

pub const fn tgid_of(owner: OwnerId) -> u32 {
    (owner >> 32) as u32
}

/// Why the owner of a request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Unknown {
    /// Its pages were dirtied before we attached, or so long ago that the inode was forgotten.
    DirtiedBefore = 1,
    /// It was handed to the driver before we attached, or found no room in our table (a counted loss).
    IssuedBefore = 2,
    /// Several asked for this flush.
    SharedFlush = 3,
    /// Memory written to swap, of one process or another.
    Swapped = 4,
}

/// A process that owns requests, by [`OwnerId`]: it may have ended since.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Owner {
    pub comm: [u8; 16],
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    pub kernel_thread: u32,
    pub pad: u32,
}

/// How an owner came to use a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum How {
    /// Nobody is known.
    Unknown,
    /// It dirtied the pages.
    Writeback,
    /// Its own requests, past the page cache.
    Direct,
    /// It read files.
    Read,
    /// Read on its behalf, before it asked.
    Readahead,
    Journal,
    /// A file system's own blocks, written by a kernel thread.
    Metadata,
    /// Memory of processes, written out or read back in.
    Swap,
    Discard,
    /// It asked the device to empty its cache.
    Flush,
    /// A kernel thread; on whose behalf is not known.
    KernelThread,
}

impl How {
    pub const ALL: [How; 11] = [
        How::Unknown,
        How::Writeback,
        How::Direct,
        How::Read,
        How::Readahead,
        How::Journal,
        How::Metadata,
        How::Swap,
        How::Discard,
        How::Flush,
        How::KernelThread,
    ];

    /// From its number.
    pub fn of(number: u32) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Unknown)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Writeback => "writeback",
            Self::Direct => "direct",
            Self::Read => "read",
            Self::Readahead => "readahead",
            Self::Journal => "journal",
            Self::Metadata => "metadata",
            Self::Swap => "swap",
            Self::Discard => "discard",
            Self::Flush => "flush",
            Self::KernelThread => "kernel thread",
        }
    }
}

/// Who submitted a request, as far as it matters for [`How`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Submitter {
    Process,
    KernelThread,
    /// jbd2, the journal of ext4 and ocfs2.
    Journal,
}

/// Owners that one request can be split over.
pub const SHARES: usize = 4;

/// A part of a request.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Share {
    pub owner: OwnerId,
    pub bytes: u32,
    /// [`How`].
    pub how: u32,
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

/// A file's dirty pages by who dirtied them, keyed by the address of its inode.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Inode {
    /// An address is used again for another file: these two say whether it is still the same.
    pub number: u64,
    pub generation: u32,
    pub pad: u32,
    pub dirtiers: [Dirtier; SHARES],
}

#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Dirtier {
    pub owner: OwnerId,
    /// Dirtied, and not yet handed to a device.
    pub bytes: u64,
}

/// Whose work a device did, and how it came to that.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Cause {
    pub owner: OwnerId,
    pub dev: u32,
    /// [`How`].
    pub how: u32,
}

/// Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Work {
    pub bytes: u64,
    pub ios: u64,
    pub service_ns: u64,
}

/// A task, keyed by the address of its `task_struct`, from its first uninterruptible sleep until it dies.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Task {
    /// When it went to sleep; 0 when it does not; [`BEFORE_START`] when it slept before we attached.
    pub since_ns: u64,
    pub tid: u32,
    pub tgid: u32,
    /// The device whose request ended its last wait for one.
    pub dev: u32,
    pub kernel_thread: u32,
}

/// [`Task::since_ns`] of a wait that is older than we are.
pub const BEFORE_START: u64 = 1;

/// [`Stall::nr`] outside of system calls.
pub const NO_CALL: u32 = u32::MAX;

/// What a process waited for.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Stall {
    /// Key of its [`Stack`]; 0 when the wait was too short to take it.
    pub stack: u64,
    pub tgid: u32,
    /// The device whose request ended the wait, or that the file lies on which the call works on; 0: not known.
    pub dev: u32,
    /// Call number, with `syscalls::COMPAT`, or [`NO_CALL`].
    pub nr: u32,
    pub kernel_thread: u32,
}

/// Added to atomically, the last waker apart.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Waits {
    pub waits: u64,
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    pub comm: [u8; 16],
    /// The task that ran when the last of these waits was ended: the waker, unless it was interrupted for it, which its
    /// stack tells. Of long waits only.
    pub waker_comm: [u8; 16],
    pub waker_tgid: u32,
    pub waker_tid: u32,
    /// The device that the waker itself waited for last.
    pub waker_dev: u32,
    pub waker_kernel_thread: u32,
    /// Key of the waker's [`Stack`].
    pub waker_stack: u64,
}

/// Frames that are kept of a stack.
pub const FRAMES: usize = 32;

/// Return addresses, innermost first, 0 behind the last.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Stack {
    pub frames: [u64; FRAMES],
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

// The kernel side is compiled for another target; both must agree to the byte.
const _: () = assert!(size_of::<Row>() == 80 && size_of::<Cell>() == 64 && size_of::<Shard>() == 151_552);
const _: () = assert!(size_of::<Cpu>() == 256 && size_of::<Layout>() == 64_000 && size_of::<Making>() == 24);
const _: () = assert!(size_of::<Request>() == 112 && size_of::<Inode>() == 80 && size_of::<Task>() == 24);
const _: () = assert!(size_of::<Stall>() == 24 && size_of::<Waits>() == 88 && size_of::<Stack>() == 256);
const _: () = assert!(size_of::<Cause>() == 16 && size_of::<Work>() == 24 && size_of::<Owner>() == 32);
const _: () = assert!(size_of::<Slow>() == 72 && hist::ROWS <= STRIDE);

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, padding spelled out.
    unsafe impl aya::Pod for Request {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Owner {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Cause {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Work {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Task {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Stall {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Waits {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Stack {}
}
