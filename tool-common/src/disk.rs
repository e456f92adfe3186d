//! Wire types of the `disk` probe.

use crate::io::OwnerId;

/// What one walk over descriptors hands over: a file that may be growing or is deleted, or how many descriptors a process has.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Open {
    /// Number of the inode; of a process: its limit of open descriptors.
    pub inode: u64,
    /// Length of the file; of a process: its open descriptors.
    pub size: u64,
    /// Blocks of 512 bytes that are allocated for it.
    pub blocks: u64,
    /// Where the next read or write through this descriptor would be.
    pub position: u64,
    /// `s_magic` of the file system.
    pub magic: u64,
    /// The file system's device, as the kernel numbers it; 0: this is about a process.
    pub dev: u32,
    pub pid: u32,
    /// Number of the descriptor.
    pub fd: u32,
    /// Names that the file has; 0: it is deleted.
    pub links: u32,
    /// The descriptor can be written to.
    pub writes: u32,
    pub pad: u32,
    /// Number of the inode of the directory that it lies in; 0: not known.
    pub directory: u64,
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<Open>() == 88);

/// Where the walk is: the process whose descriptors are being visited.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Visited {
    pub limit: u64,
    pub pid: u32,
    /// Its descriptors so far.
    pub open: u32,
    pub comm: [u8; 16],
}

/// A file, and a process that dirties its pages.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Dirtying {
    /// Number of the inode, which another file gets after this one,
    pub inode: u64,
    pub owner: OwnerId,
    /// The file system's device, as the kernel numbers it.
    pub dev: u32,
    /// and which is told from that by this.
    pub generation: u32,
}

/// What it has dirtied of it since it was noted first.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Dirtied {
    pub bytes: u64,
    /// Number of the inode of the directory that the file lies in; 0: not known.
    pub directory: u64,
    /// Of the process.
    pub cgroup: u64,
    pub comm: [u8; 16],
}

/// What a CPU has dirtied of one file by the hand of one process, and did not add up yet.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Turn {
    /// It grows with each turn. Odd: what follows is being changed.
    pub number: u64,
    pub of: Dirtying,
    pub bytes: u64,
    /// It is a regular file.
    pub is_file: u64,
    /// Runs of the program.
    pub runs: u64,
    /// Bytes for which there was no room.
    pub lost: u64,
    /// Room to put names together.
    pub names: DirectoryNames,
}

/// A directory.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct DirectoryId {
    pub inode: u64,
    pub dev: u32,
    pub pad: u32,
}

/// Names that are kept of a path, and bytes of each with the one that ends it.
pub const LEVELS: usize = 10;
pub const NAME: usize = 80;

/// Its own name, that of the directory it lies in, and so on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DirectoryNames {
    pub names: [[u8; NAME]; LEVELS],
    /// How many there are.
    pub count: u32,
    /// The last one lies in the root of the file system.
    pub whole: u32,
}

const _: () = assert!(size_of::<Dirtying>() == 24 && size_of::<Dirtied>() == 40 && size_of::<DirectoryId>() == 16);
const _: () = assert!(size_of::<DirectoryNames>() == 808 && size_of::<Turn>() == 896);

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, no padding.
    unsafe impl aya::Pod for Dirtying {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Dirtied {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DirectoryId {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DirectoryNames {}
}
