//! What the `disk` probe found.

use std::{collections::HashMap, rc::Rc, time::Duration};

use stillwatch_common::disk::{Dirtied, Dirtying};

/// The file systems that are mounted, and the files that are open.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// In the order in which they were mounted.
    pub filesystems: Vec<MountedAt>,
    /// As of the last walk over descriptors that has ended.
    pub files: Option<Rc<Files>>,
    /// Why there is none.
    pub no_files: Option<&'static str>,
    /// Descriptors of the host (`/proc/sys/fs/file-nr`): in use, and at the most.
    pub handles: Option<(u64, u64)>,
}

/// A file system, and where it is mounted first.
#[derive(Clone, Debug)]
pub struct MountedAt {
    pub dev: u32,
    pub mount: String,
    /// What it lies on, as the kernel names it.
    pub source: String,
    pub kind: String,
    pub read_only: bool,
    /// Or why it is not known.
    pub room: Result<Room, &'static str>,
    /// How it was about a minute ago, and about ten: for how long it has been watched, at the most.
    pub earlier: [Option<(Duration, Room)>; 2],
}

/// `statvfs`: bytes and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    pub size: u64,
    /// For root.
    pub free: u64,
    /// For others.
    pub available: u64,
    /// 0: there is no limit.
    pub inodes: u64,
    pub inodes_free: u64,
}

impl Room {
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }

    pub fn inodes_used(&self) -> u64 {
        self.inodes.saturating_sub(self.inodes_free)
    }
}

/// A file: device of its file system, and number of the inode.
pub type FileKey = (u32, u64);

/// What one walk over all descriptors saw.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// When it began, on the programs' clock.
    pub at: Duration,
    /// Regular files that are open for writing, or deleted.
    pub open: HashMap<FileKey, OpenFile>,
    pub processes: HashMap<u32, Descriptors>,
    /// `None`: nobody asked for it, or it is not known.
    pub written: Option<Written>,
}

/// What was dirtied between the beginning of the walk before and that of this one.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub by: HashMap<Dirtying, Dirtied>,
    /// What directories of these files are called.
    pub directories: HashMap<FileKey, DirectoryPath>,
}

/// A directory's name, from the root of its file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryPath {
    pub path: String,
    /// Nothing is missing before it.
    pub whole: bool,
}

#[derive(Clone, Debug, Default)]
pub struct OpenFile {
    pub size: u64,
    /// Bytes that are allocated for it: what was written may be later.
    pub allocated: u64,
    pub deleted: bool,
    /// It lies in memory (tmpfs).
    pub in_memory: bool,
    /// Number of the inode of the directory that it lies in; 0: not known.
    pub directory: u64,
    pub by: Vec<OpenBy>,
}

impl OpenFile {
    /// What it takes, or will take once it is allocated: as long as it is, and what is allocated beyond that. Of one with holes, more.
    pub fn takes(&self) -> u64 {
        self.size.max(self.allocated)
    }
}

/// One descriptor of a file.
#[derive(Clone, Debug)]
pub struct OpenBy {
    pub pid: u32,
    pub comm: [u8; 16],
    pub fd: u32,
    pub writes: bool,
    pub position: u64,
}

/// Of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Descriptors {
    pub comm: [u8; 16],
    pub open: u64,
    pub limit: u64,
}
