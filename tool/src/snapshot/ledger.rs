//! Where the time of processes went.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::table::{Known, named, placed, table};

named!(For);

/// Its first moment was not seen.
pub const BEFORE_START: &str = "since before start";

table! {
    /// Waits of 10 ms and more for one thing. Each wait is in one entry.
    pub struct Entry in "overview.ledger" {
        /// What they are for.
        what: For = label().key("for");
        /// Which one: a disk, a cgroup, a call, or the reason as the kernel's stack tells it.
        on: String = label();
        /// Time of this interval, all of them together.
        lost_ns: u64 = counter("ns");
        /// Processes that waited.
        processes: u64 = gauge("processes").max();
        /// The longest of them, its time before this interval included.
        longest_ns: Known<u64> = gauge("ns").max();
        /// The rule whose finding is about them; none: nobody's.
        rule: Option<String> = label();
    }
}

placed! {
    Entry: row => Reverse(row.lost_ns);
}

/// What processes wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum For {
    /// A request of a disk.
    Disk,
    /// Requests of a slow disk that it has all the time, without sleeping for them.
    AsynchronousIo,
    /// What was written to be safe on a disk.
    Sync,
    /// To be let to dirty more pages.
    DirtyPages,
    /// To be let to use a disk: a limit of the I/O controller, or the disk's own queue is full.
    IoThrottle,
    Memory,
    /// A CPU.
    RunQueue,
    /// The next period of a CPU quota.
    Quota,
    /// Somebody who thaws a filesystem or a disk's queue.
    Thaw,
    /// A server of files, on the network or in user space.
    FileServer,
    Lock,
    /// The kernel itself: a grace period of RCU, pages or tasks that are moved, a worker.
    Kernel,
    /// A call that does not wait by design.
    Call,
    NotKnown,
}

impl For {
    pub const ALL: [Self; 14] = [
        Self::Disk,
        Self::AsynchronousIo,
        Self::Sync,
        Self::DirtyPages,
        Self::IoThrottle,
        Self::Memory,
        Self::RunQueue,
        Self::Quota,
        Self::Thaw,
        Self::FileServer,
        Self::Lock,
        Self::Kernel,
        Self::Call,
        Self::NotKnown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::AsynchronousIo => "asynchronous_io",
            Self::Sync => "sync",
            Self::DirtyPages => "dirty_pages",
            Self::IoThrottle => "io_throttle",
            Self::Memory => "memory",
            Self::RunQueue => "run_queue",
            Self::Quota => "quota",
            Self::Thaw => "thaw",
            Self::FileServer => "file_server",
            Self::Lock => "lock",
            Self::Kernel => "kernel",
            Self::Call => "call",
            Self::NotKnown => "not_known",
        }
    }

    /// It is for a device, whatever makes it slow.
    pub fn is_storage(self) -> bool {
        matches!(
            self,
            Self::Disk
                | Self::AsynchronousIo
                | Self::Sync
                | Self::DirtyPages
                | Self::IoThrottle
                | Self::Thaw
                | Self::FileServer
        )
    }
}
