//! What is known of a file without asking who serves it.

use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, StatxTimestamp, statx};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Of its file system, as the kernel numbers devices inside: major above 20 bits of minor.
    pub dev: u32,
    pub inode: u64,
    pub kind: FileType,
    /// The device that a node stands for.
    pub node: Option<u32>,
    pub size: u64,
    /// Its content.
    pub written: Timestamp,
    /// Anything of it, its names included: nobody can set this one.
    pub changed: Timestamp,
    /// Where its file system keeps that.
    pub born: Option<Timestamp>,
    pub links: u32,
}

impl Stat {
    pub fn is_folder(&self) -> bool {
        self.kind == FileType::Directory
    }
}

/// Of what a path names; a link is followed where that is asked for, and only there.
pub fn stat(path: &Path, follow: bool) -> Option<Stat> {
    let how = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let flags = how | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let found = statx(CWD, path, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME).ok()?;
    let number = |major: u32, minor: u32| major << 20 | minor;
    let kind = FileType::from_raw_mode(found.stx_mode.into());
    let is_node = matches!(kind, FileType::BlockDevice | FileType::CharacterDevice);
    let is_born = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    Some(Stat {
        dev: number(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        kind,
        node: is_node.then(|| number(found.stx_rdev_major, found.stx_rdev_minor)),
        size: found.stx_size,
        written: time(found.stx_mtime),
        changed: time(found.stx_ctime),
        born: is_born.then(|| time(found.stx_btime)),
        links: found.stx_nlink,
    })
}

/// Of one that no calendar has, the begin of all of them.
fn time(at: StatxTimestamp) -> Timestamp {
    i32::try_from(at.tv_nsec).ok().and_then(|ns| Timestamp::new(at.tv_sec, ns).ok()).unwrap_or_default()
}
