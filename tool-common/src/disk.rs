//! Wire types of the `disk` probe.

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
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<Open>() == 80);

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
