//! Block devices that tests make for themselves, gone again when dropped. Where the kernel has no driver for one, the test
//! that wants it is skipped, with the reason.

mod filesystem;
mod loops;
mod mapper;
mod null_blk;
mod scsi;
mod slow;
mod tmpfs;
mod zram;

use std::{
    fs,
    io::{Error, ErrorKind},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

pub use self::{
    filesystem::Filesystem,
    loops::{LoopDevice, memory_file, seal},
    mapper::Mapper,
    null_blk::NullBlk,
    scsi::ScsiDebug,
    slow::{FewDirty, Slow},
    tmpfs::Tmpfs,
    zram::Zram,
};
use super::skip;

pub const SECTOR: u64 = 512;
pub const MIB: u64 = 1 << 20;

/// Loads a module, or skips the test.
fn load(module: &str, options: &[&str]) -> Result<()> {
    let output = Command::new("modprobe").arg(module).args(options).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Err(skip(format!("no module {module} for this kernel"))),
    }
}

/// An ioctl whose argument is a number, or a pointer that the caller keeps alive.
fn control(fd: &impl AsRawFd, request: u64, argument: u64) -> std::io::Result<i32> {
    // SAFETY: promised by the callers, with structures that the request wants.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request as _, argument) };
    if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
}

fn open(path: &str, flags: i32) -> Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).custom_flags(flags);
    Ok(options.open(path).with_context(|| path.to_owned())?.into())
}

/// Opens a block device past the page cache.
pub fn direct(name: &str) -> Result<OwnedFd> {
    open(&format!("/dev/{name}"), libc::O_DIRECT)
}

/// Opens a block device, through the page cache.
pub fn buffered(name: &str) -> Result<OwnedFd> {
    open(&format!("/dev/{name}"), 0)
}

const BLKDISCARD: u64 = 0x1277;

/// Tells a device that it may forget a range. Whether it was done.
pub fn discard(device: &OwnedFd, offset: u64, bytes: u64) -> bool {
    let range = [offset, bytes];
    control(device, BLKDISCARD, range.as_ptr() as u64).is_ok()
}

/// Nodes in /dev are made by a thread of the kernel.
fn wait_for(name: &str) -> Result<()> {
    let node = format!("/dev/{name}");
    for _ in 0..500 {
        if Path::new(&node).exists() {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    ensure!(false, "{node} does not appear");
    Ok(())
}

fn put(directory: &Path, file: &str, value: &str) -> Result<()> {
    let path = directory.join(file);
    fs::write(&path, value).with_context(|| format!("{value} to {}", path.display()))
}
