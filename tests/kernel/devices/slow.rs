//! Disks that are slow on every kernel: a loop device whose file is on a filesystem that is frozen most of the time.

use std::{
    fs::{self, File},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Result;

use super::{super::skip, Filesystem, LoopDevice, MIB};

/// So long the filesystem below is frozen and thawed in turn: within a second, something is always completed.
const FROZEN: Duration = Duration::from_millis(600);
const THAWED: Duration = Duration::from_millis(60);

/// A loop device over a file of a filesystem that can be frozen. Dropped in this order.
pub struct Slow {
    pub device: LoopDevice,
    pub filesystem: Filesystem,
    _below: LoopDevice,
}

impl Slow {
    pub fn new(bytes: u64) -> Result<Self> {
        let below = LoopDevice::new(bytes * 2 + 16 * MIB)?;
        let filesystem = Filesystem::on(&below.name)?;
        let file = File::options().create_new(true).read(true).write(true).open(filesystem.path.join("disk"))?;
        // All blocks are there: no write has to look for one.
        let zeros = vec![0u8; MIB as usize];
        for _ in 0..bytes / MIB {
            std::io::Write::write_all(&mut &file, &zeros)?;
        }
        file.sync_all()?;
        Ok(Self { device: LoopDevice::over(&file)?, filesystem, _below: below })
    }

    /// Slow for as long as this takes, and well again after it.
    pub fn slow_while<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let freezer = scope.spawn(|| -> Result<()> {
                while !over.load(Ordering::Relaxed) {
                    let frozen = self.filesystem.freeze()?;
                    std::thread::sleep(FROZEN);
                    drop(frozen);
                    std::thread::sleep(THAWED);
                }
                Ok(())
            });
            let result = work();
            over.store(true, Ordering::Relaxed);
            freezer.join().map_err(|_| anyhow::anyhow!("the freezer died"))??;
            result
        })
    }
}

/// Holds a disk to so few dirty pages that one writer has too many, until dropped.
pub struct FewDirty(String);

impl FewDirty {
    pub fn of(device: &str) -> Result<Self> {
        let at = format!("/sys/block/{device}/bdi");
        if !fs::exists(format!("{at}/max_bytes"))? {
            return Err(skip("this kernel has no limit of dirty pages for a device"));
        }
        let limit = Self(at);
        fs::write(format!("{}/strict_limit", limit.0), "1")?;
        fs::write(format!("{}/max_bytes", limit.0), MIB.to_string())?;
        Ok(limit)
    }
}

impl Drop for FewDirty {
    fn drop(&mut self) {
        let _ = fs::write(format!("{}/max_ratio", self.0), "100");
        let _ = fs::write(format!("{}/strict_limit", self.0), "0");
    }
}
