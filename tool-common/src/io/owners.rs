//! Whose work a device does.

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
    /// Its pages were dirtied before we attached.
    DirtiedBefore = 1,
    /// It was handed to the driver before we attached, or found no room in our table (a counted loss).
    IssuedBefore = 2,
    /// Several asked for this flush.
    SharedFlush = 3,
    /// Memory written to swap, of one process or another.
    Swapped = 4,
    /// Its pages were dirtied while we ran: there was no place for who did, or more than [`SHARES`] share a request.
    NotNoted = 5,
}

/// A process that owns requests, by [`OwnerId`]: it may have ended since.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Owner {
    pub comm: [u8; 16],
    /// cgroup id on the unified hierarchy; of a thread of the kernel, that of the cgroup it works for in the hierarchy of I/O.
    pub cgroup: u64,
    pub kernel_thread: u32,
    pub pad: u32,
}

/// How an owner came to use a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
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
    /// A kernel thread; on whose behalf only its cgroup says.
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

/// Owners that one request can be split over. Where there are more, the last place is for all others.
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

/// A file for as long as its inode is in memory: the inode's address, number and generation, mixed. 0: none.
pub type FileId = u64;

#[inline(always)]
pub const fn file_id(inode: u64, number: u64, generation: u32) -> FileId {
    let which = number ^ (generation as u64) << 32;
    inode.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ which.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
}

/// A file's dirty pages by one of those who dirtied them.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Dirtier {
    pub file: FileId,
    pub owner: OwnerId,
    /// Dirtied, and not yet given to the file's own disk.
    pub bytes: u64,
    /// When it took its place, in units of 2^30 ns.
    pub since: u32,
    /// Whether some were given to it, and this owner's part of the last ones, in 65,535ths. Disks below it get the same pages, and split
    /// them alike.
    pub was_given: u16,
    pub given: u16,
}

/// Places for the dirtiers of all files whose id begins with the same bits.
pub const PLACES: usize = 8;
/// Of these tables; the highest bits of a file's id choose one.
pub const DIRTY_TABLES: usize = 4096;

#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct DirtyTable {
    pub places: [Dirtier; PLACES],
    /// CPUs that want to take a place.
    pub busy: u64,
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
