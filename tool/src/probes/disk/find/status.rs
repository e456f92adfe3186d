//! What is known of a file without asking whoever serves it.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Of its file system, as the kernel numbers devices inside: major above 20 bits of minor.
    pub dev: u32,
    pub inode: u64,
    pub kind: FileType,
    /// The device that a node stands for.
    pub node: Option<u32>,
}

impl Status {
    /// Follows links.
    pub fn of(path: &Path) -> Option<Self> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let found = statx(CWD, path, flags, StatxFlags::TYPE | StatxFlags::INO).ok()?;
        let number = |major: u32, minor: u32| major << 20 | minor;
        let kind = FileType::from_raw_mode(found.stx_mode.into());
        let is_node = matches!(kind, FileType::BlockDevice | FileType::CharacterDevice);
        Some(Self {
            dev: number(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            kind,
            node: is_node.then(|| number(found.stx_rdev_major, found.stx_rdev_minor)),
        })
    }
}
