//! A file system in memory.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use anyhow::{Result, ensure};

/// With little room. Unmounted when dropped.
pub struct Tmpfs {
    pub path: PathBuf,
}

impl Tmpfs {
    /// `options`: as `mount` takes them, `size=64k`.
    pub fn new(options: &CStr) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("stillwatch-tmpfs-{}", std::process::id()));
        fs::create_dir(&path)?;
        let tmpfs = Self { path };
        let (kind, to) = (c"tmpfs".as_ptr(), CString::new(tmpfs.path.as_os_str().as_bytes())?);
        // SAFETY: strings that end.
        let result = unsafe { libc::mount(kind, to.as_ptr(), kind, 0, options.as_ptr().cast()) };
        ensure!(result == 0, "mounting a tmpfs: {}", io::Error::last_os_error());
        Ok(tmpfs)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        if let Ok(path) = CString::new(self.path.as_os_str().as_bytes()) {
            // SAFETY: a string that ends.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
        let _ = fs::remove_dir(&self.path);
    }
}
