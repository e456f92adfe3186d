//! Wire types of the `io` probe.
//!
//! Requests complete on any CPU, in interrupts too, so what is counted for devices lies in a few [`Shard`]s that
//! are added to atomically, not in a block per CPU: their number bounds the memory on a machine with 256 of them.

mod devices;
mod owners;
mod stalls;

pub use devices::{
    CELLS, DeviceCounts, NO_ROW, Op, PARTS, ROWS, Request, SHARDS, STRIDE, Shard, Slow, Stage, UNKNOWN_NS, row_key,
};
pub use owners::{
    Cause, DIRTY_TABLES, Dirtier, DirtyTable, FileId, How, MAKING, Making, Owner, OwnerId, PLACES, SHARES, Share,
    Submitter, Unknown, Work, file_id, owner_id, tgid_of,
};
pub use stalls::{BEFORE_START, FRAMES, NO_CALL, Stack, Stall, TaskAsleep, Waits};

use crate::{hist, syscalls::NATIVE};

/// Shared by all CPUs.
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

named! {
    /// Why something was not measured, as users read it. Every one is shown.
    Loss {
        /// The table of requests was full: a request was not seen in flight, and its owner is not known.
        Requests: "request table full",
        /// All [`ROWS`] or [`CELLS`] were taken.
        Cells: "device histograms full",
        /// The table of tasks was full: a wait was not seen.
        Tasks: "stalled tasks full",
        /// The table of stalls was full.
        Stalls: "stall table full",
        /// The table of causes was full.
        Causes: "cause table full",
        /// A single slow request found no room on its way to user space.
        Slow: "slow requests full",
    }
}

named! {
    /// Programs whose runs are counted: our own cost is computed from these.
    Program {
        Switch: "sched_switch",
        Waking: "sched_waking",
        Insert: "block_rq_insert",
        Issue: "block_rq_issue",
        Merge: "block_rq_merge",
        Complete: "block_rq_complete",
        Getrq: "block_getrq",
        Dirty: "writeback_dirty_folio",
        BioQueue: "block_bio_queue",
        BioComplete: "block_bio_complete",
    }
}

/// Owners whose names a CPU remembers to have kept; a power of two.
pub const NAMED: usize = 8;

/// An owner, and its name in one word.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Named {
    pub owner: OwnerId,
    pub mixed: u64,
}

/// All that one CPU writes.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct PerCpu {
    pub runs: [u64; Program::ALL.len()],
    pub lost: [u64; Loss::ALL.len()],
    /// The request that this CPU completed last: the one that the next wake-ups wait for.
    pub done_ns: u64,
    pub done_dev: u32,
    pub done_bytes: u32,
    /// The row that this CPU counted in last: what it stands for ([`row_key`]) << 16 | its number. One word, which an
    /// interrupt can't leave half-written.
    pub last_row: u64,
    /// Owners whose names this CPU kept last, and how often one was to be kept.
    pub named: [Named; NAMED],
    pub names: u64,
    /// A number that the verifier is to forget what it knows of, by [`Program`].
    pub forgotten: [u64; Program::ALL.len()],
}

// The kernel side is compiled for another target; both must agree to the byte.
const _: () =
    assert!(size_of::<DeviceCounts>() == 80 && size_of::<hist::Octave>() == 64 && size_of::<Shard>() == 151_552);
const _: () = assert!(size_of::<PerCpu>() == 384 && size_of::<Layout>() == 64_000 && size_of::<Making>() == 24);
const _: () = assert!(size_of::<Request>() == 112 && size_of::<DirtyTable>() == 264 && size_of::<TaskAsleep>() == 24);
const _: () = assert!(size_of::<Stall>() == 32 && size_of::<Waits>() == 88 && size_of::<Stack>() == 256);
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
    unsafe impl aya::Pod for TaskAsleep {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Stall {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Waits {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Stack {}
}
