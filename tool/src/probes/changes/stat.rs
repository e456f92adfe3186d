//! What is known of a file without asking who serves it.

use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path};

use jiff::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub device: (u32, u32),
    pub inode: u64,
    pub is_folder: bool,
    pub size: u64,
    /// Its content.
    pub written: Timestamp,
    /// Anything of it, its names included: nobody can set this one.
    pub changed: Timestamp,
    /// Where its file system keeps that.
    pub born: Option<Timestamp>,
    pub links: u32,
}

/// Of what a path names; a link is followed where that is asked for, and only there.
pub fn stat(path: &Path, follow: bool) -> Option<Stat> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let how = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    let flags = how | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC;
    let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    // SAFETY: all zeros are a valid `statx`; the path ends.
    let stat = unsafe {
        let mut stat: libc::statx = std::mem::zeroed();
        (libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, mask, &mut stat) == 0).then_some(stat)?
    };
    let time = |at: libc::statx_timestamp| Timestamp::new(at.tv_sec, at.tv_nsec as i32).ok();
    Some(Stat {
        device: (stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        is_folder: u32::from(stat.stx_mode) & libc::S_IFMT == libc::S_IFDIR,
        size: stat.stx_size,
        written: time(stat.stx_mtime)?,
        changed: time(stat.stx_ctime)?,
        born: (stat.stx_mask & libc::STATX_BTIME != 0).then(|| time(stat.stx_btime)).flatten(),
        links: stat.stx_nlink,
    })
}
