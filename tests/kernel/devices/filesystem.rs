//! A filesystem on a block device.

use std::{
    ffi::CString,
    fs::{self, File},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    super::workload::{Workload, sleep},
    buffered, control, load,
};

const FIFREEZE: u64 = 0xc004_5877;
const FITHAW: u64 = 0xc004_5878;

/// ext2's format, under ext4's driver. Thawed and unmounted when dropped.
pub struct Filesystem {
    pub path: PathBuf,
    root: Option<OwnedFd>,
}

impl Filesystem {
    pub fn on(device: &str) -> Result<Self> {
        let node = format!("/dev/{device}");
        let made = Command::new("busybox").args(["mke2fs", "-b", "4096", &node]).output().context("busybox mke2fs")?;
        ensure!(made.status.success(), "mke2fs: {}", String::from_utf8_lossy(&made.stderr));
        // What it wrote is not part of any test.
        File::from(buffered(device)?).sync_all()?;
        Self::mount(device)
    }

    /// What is there already.
    pub fn mount(device: &str) -> Result<Self> {
        if !fs::read_to_string("/proc/filesystems")?.contains("\text4") {
            load("ext4", &[])?;
        }
        let path = std::env::temp_dir().join(format!("stillwatch-{}-{device}", std::process::id()));
        fs::create_dir_all(&path)?;
        let (from, to) = (CString::new(format!("/dev/{device}"))?, as_c(&path)?);
        // SAFETY: NUL-terminated strings.
        let result = unsafe { libc::mount(from.as_ptr(), to.as_ptr(), c"ext4".as_ptr(), 0, std::ptr::null()) };
        ensure!(result == 0, "mounting {device}: {}", std::io::Error::last_os_error());
        let mut filesystem = Self { path, root: None };
        filesystem.root = Some(File::open(&filesystem.path)?.into());
        Ok(filesystem)
    }

    /// No write gets through until it is thawed.
    pub fn freeze(&self) -> Result<Frozen<'_>> {
        let root = self.root.as_ref().context("not mounted")?;
        // Were this process killed now, nobody would thaw it: a child waits for that.
        let parent = std::process::id();
        let guard = Workload::new(|| {
            // SAFETY: no precondition.
            while unsafe { libc::getppid() } as u32 == parent {
                sleep(Duration::from_millis(100));
            }
            let _ = control(root, FITHAW, 0);
            [0; 2]
        })?;
        guard.go();
        control(root, FIFREEZE, 0).context("FIFREEZE")?;
        Ok(Frozen { root, _guard: guard })
    }
}

fn as_c(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

impl Drop for Filesystem {
    fn drop(&mut self) {
        self.root = None;
        if let Ok(path) = as_c(&self.path) {
            // SAFETY: a NUL-terminated string.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
        let _ = fs::remove_dir(&self.path);
    }
}

/// Thaws when dropped.
pub struct Frozen<'a> {
    root: &'a OwnedFd,
    _guard: Workload,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = control(self.root, FITHAW, 0);
    }
}
