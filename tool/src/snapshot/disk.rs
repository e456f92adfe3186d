//! The `disk` probe's part of a snapshot: what fills, who grows what, and when it is full.

pub mod holds;

use std::{cmp::Reverse, iter};

use serde::{Deserialize, Serialize};

use super::{
    Who,
    who::{About, about},
};
use crate::table::{Bounded, Known, NOT_RECORDED, placed, table};

/// Reasons why something is not known.
pub const STEADY: &str = "it does not grow";
pub const TOO_YOUNG: &str = "watched for less than 5s";
pub const NO_LIMIT: &str = "it has no limit of inodes";
pub const SEVERAL: &str = "several have it open for writing";
pub const NO_WALK: &str = "the kernel refuses an iterator over descriptors";
pub const FIRST_WALK: &str = "all descriptors are being looked at for the first time";
pub const NO_NEW_WALK: &str = "there are too many descriptors for every interval";
pub const SERVED: &str = "its server may not answer";
pub const CLOSED: &str = "closed before it could be looked up";
pub const ELSEWHERE: &str = "it is mounted elsewhere";
pub const IN_MEMORY: &str = "it is in memory only";
pub const NO_DIRECTORY: &str = "its directory is not known";
pub const NOT_SEEN: &str = "its row is too far down";

about! { Directory: who; DeletedOpen: who; Descriptors: who; }

impl About for Growing {
    fn whom(&mut self) -> impl Iterator<Item = &mut Who> {
        iter::once(&mut self.who).chain(self.dirtied_by.iter_mut().map(|part| &mut part.who))
    }
}

impl Growing {
    /// Each second, of bytes in so many nanoseconds.
    pub fn rate(bytes: u64, over_ns: u64) -> u64 {
        u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(over_ns.max(1))).unwrap_or(u64::MAX)
    }
}

placed! {
    // The bits of shares, which are not negative, are in their order.
    Filesystem: row => (row.full_in_ns.value().copied().unwrap_or(u64::MAX), Reverse(row.used_share.value().map(|share| share.to_bits())));
    Growing: row => (Reverse(row.bytes), row.inode);
    Directory: row => (Reverse(row.bytes), row.inode, row.who.pid);
    DeletedOpen: row => (Reverse(row.bytes), row.inode);
    Descriptors: row => (Reverse((row.used_share.to_bits(), row.open)), row.who.pid);
}

/// The `disk` probe's part of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Findings are of file systems that are full within that time.
    #[serde(default = "an_hour")]
    pub horizon_ns: u64,
    /// The one that is full first comes first.
    pub filesystems: Bounded<Filesystem>,
    /// Files that are open and grew between the last two walks over descriptors, the most first.
    pub growing: Known<Bounded<Growing>>,
    /// Directories in which a process has several such files, or files that were not open at both walks; the most first.
    #[serde(default = "not_recorded")]
    pub directories: Known<Bounded<Directory>>,
    /// Files without a name that are still open and not empty, the largest first.
    pub deleted_open: Known<Bounded<DeletedOpen>>,
    /// Descriptors of processes that have 256, or a tenth of what they may have; the nearest to its limit first.
    pub descriptors: Known<Bounded<Descriptors>>,
    pub host: HostFiles,
}

/// In recordings that do not say it.
fn an_hour() -> u64 {
    3600 * 1_000_000_000
}

fn not_recorded() -> Known<Bounded<Directory>> {
    Known::unknown(NOT_RECORDED)
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            horizon_ns: an_hour(),
            filesystems: Bounded::default(),
            growing: Bounded::default().into(),
            directories: Bounded::default().into(),
            deleted_open: Bounded::default().into(),
            descriptors: Bounded::default().into(),
            host: HostFiles::default(),
        }
    }
}

table! {
    /// A file system that is mounted.
    pub struct Filesystem in "disk.filesystems" {
        /// Where it is mounted first.
        mount: String = label(), text [cgroup("FILESYSTEM")];
        /// What it lies on, as the kernel names it.
        source: String = info();
        /// Its kind.
        kind: String = info().key("type").source("/proc/self/mountinfo"), text [words("TYPE").right().least(5).after("inodes_share")];
        /// Nothing can be written to it.
        read_only: bool = flag().source("/proc/self/mountinfo").sparse();
        /// How large it is.
        size_bytes: Known<u64> = gauge("bytes").source("statvfs"), text [bytes("SIZE").least(7)];
        /// What is in use.
        used_bytes: Known<u64> = gauge("bytes").source("statvfs").as_of("size_bytes"), text [bytes("USED").close().least(7)];
        /// What is free for root.
        free_bytes: Known<u64> = gauge("bytes").source("statvfs").as_of("size_bytes");
        /// What is free for others: less, where some is reserved.
        available_bytes: Known<u64> = gauge("bytes").source("statvfs").as_of("size_bytes"),
            text [bytes("AVAIL").close().least(7)];
        /// Of what others can use, the part that is in use.
        used_share: Known<f64> = gauge("share").as_of("size_bytes"), text [share("USE").close().least(4)];
        /// By how much what is in use grew in this interval; less than 0: it shrank.
        grew_bytes: Known<i64> = counter("bytes").source("statvfs");
        /// By how much it grew each second of the last minute, or since it is watched.
        bytes_per_s: Known<i64> = gauge("bytes per second").source("statvfs"), text [own("GROWS/s", "minute").right().least(8)];
        /// The same of the last ten minutes.
        bytes_per_s_10m: Known<i64> = gauge("bytes per second").source("statvfs"),
            text [own("(10 MIN)", "minutes").close().least(8).wide()];
        /// After that time it has no room for others, if it goes on to grow as in the last minute.
        full_in_ns: Known<u64> = gauge("ns"), text [duration("FULL IN").least(7)];
        /// The same as in the last ten minutes.
        full_in_10m_ns: Known<u64> = gauge("ns"), text [duration("(10 MIN)").close().least(7).wide()];
        /// For how long it is watched, ten minutes at the most.
        watched_ns: u64 = gauge("ns");
        /// Files that it can have.
        inodes: Known<u64> = gauge("inodes").source("statvfs").as_of("size_bytes");
        /// Files that it can have beside those that it has.
        inodes_free: Known<u64> = gauge("inodes").source("statvfs").as_of("inodes");
        /// Of them, the part that is in use.
        inodes_share: Known<f64> = gauge("share").as_of("inodes"), text [share("INODES").least(6)];
        /// After that time it has no inode, if their number goes on to grow as in the last minute.
        inodes_full_in_ns: Known<u64> = gauge("ns");
    }

    /// A file that is open and grows.
    pub struct Growing in "disk.growing" {
        /// Who writes to it; where several have it open, the only one that dirtied it, or whose descriptor moved on.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("GROWING"), pid("PID"), cgroup("CGROUP")];
        /// The file, as its process sees it.
        path: Known<String> = label(), text [own("FILE", "path")];
        /// Where its file system is mounted.
        mount: Known<String> = info();
        /// What it grew by: its length, and what is allocated beyond that.
        bytes: u64 = counter("bytes").source("inode.i_size, inode.i_blocks");
        /// The same for each second of that time.
        bytes_per_s: u64 = gauge("bytes per second"), text [bytes("GROWS/s").least(8)];
        /// Its length.
        size_bytes: u64 = gauge("bytes").source("inode.i_size"), text [bytes("SIZE").least(7)];
        /// In which time, which is longer than the interval where descriptors are many.
        over_ns: u64 = counter("ns").shared();
        /// Processes that have it open for writing.
        writers: u64 = gauge("processes"), text [count("WRITERS").least(7)];
        /// A process that has it open: that of who writes to it, where that is known.
        holder: u32 = info().hidden();
        /// Its descriptor of it.
        fd: u32 = info().hidden();
        /// Number of its inode.
        inode: u64 = label();
        /// Who dirtied it, where several did.
        dirtied_by: Vec<DirtiedBy> = info().sparse();
    }

    /// One of several that dirtied a file.
    pub struct DirtiedBy in "disk.dirtied_by" {
        /// Who.
        who: Who = label().columns(Who::COLUMNS).flat();
        /// The part of what was dirtied of it.
        share: f64 = gauge("share").source("writeback_dirty_folio");
    }

    /// What a process writes into a directory.
    pub struct Directory in "disk.directories" {
        /// Who writes.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("INTO"), pid("PID"), cgroup("CGROUP")];
        /// Its name, where its file system is mounted.
        path: Known<String> = label(), text [own("DIRECTORY", "path")];
        /// Where its file system is mounted.
        mount: Known<String> = info();
        /// Files that grow, if there are several, and those that were not open at both walks.
        files: u64 = gauge("files").max(), text [count("FILES").least(6)];
        /// What they grew by, or what was dirtied of them.
        bytes: u64 = counter("bytes").source("inode.i_size, inode.i_blocks, writeback_dirty_folio");
        /// The same for each second of that time.
        bytes_per_s: u64 = gauge("bytes per second"), text [bytes("BYTES/s").least(8)];
        /// What was dirtied of those that were not open at both walks.
        passing_bytes: u64 = counter("bytes").source("writeback_dirty_folio"), text [bytes("PASSING").least(7)];
        /// In which time, which is longer than the interval where descriptors are many.
        over_ns: u64 = counter("ns").shared();
        /// Of one of them that is open, its descriptor.
        fd: u32 = info().hidden();
        /// The inode of that; 0: none is.
        of: u64 = info().hidden();
        /// Number of its inode.
        inode: u64 = label();
    }

    /// A file that has no name any more: its room is given back when the last descriptor of it is closed.
    pub struct DeletedOpen in "disk.deleted_open" {
        /// A process that has it open, the one with the lowest number.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("DELETED"), pid("PID"), cgroup("CGROUP")];
        /// The file, as it was called.
        path: Known<String> = label(), text [own("FILE", "path")];
        /// Where its file system is mounted.
        mount: Known<String> = info();
        /// What is allocated for it.
        bytes: u64 = gauge("bytes").source("inode.i_blocks"), text [bytes("BYTES").least(7)];
        /// Its length.
        size_bytes: u64 = gauge("bytes").source("inode.i_size");
        /// It lies in memory.
        in_memory: bool = flag().sparse();
        /// Processes that have it open.
        holders: u64 = gauge("processes"), text [count("HOLDERS").least(7)];
        /// A descriptor of it.
        fd: u32 = info().hidden();
        /// Number of its inode.
        inode: u64 = label();
    }

    /// Descriptors of a process.
    pub struct Descriptors in "disk.descriptors" derive(Default) {
        /// Whose.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("DESCRIPTORS"), pid("PID"), cgroup("CGROUP")];
        /// How many are open.
        open: u64 = gauge("descriptors").now(), text [count("OPEN").least(6)];
        /// How many it may have (`RLIMIT_NOFILE`).
        limit: u64 = gauge("descriptors").now().source("signal_struct.rlim"), text [count("LIMIT").close().least(6)];
        /// The part of that which is open.
        used_share: f64 = gauge("share").now(), text [share("USE").close().least(4)];
        /// How many more there are than at the walk before.
        grew: i64 = counter("descriptors"), text [words("GREW").right().least(6)];
    }

    /// Open files of the host.
    pub struct HostFiles in "disk.host" derive(Default, Eq) {
        /// How many there are.
        open: Option<u64> = gauge("files").source("/proc/sys/fs/file-nr");
        /// How many there may be.
        limit: Option<u64> = gauge("files").source("/proc/sys/fs/file-nr");
    }
}
