//! A disk that is as fast as memory: a loop device over a file in a tmpfs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{read, run, which};

const TMPFS: &str = "/dev/shm";
/// More than any load writes.
const BYTES: u64 = 256 << 20;

/// Nothing of it outlives this process, however it ends: the file has no name any more, and the kernel detaches the
/// device when it is last closed.
pub struct Disk {
    pub device: String,
    _open: File,
}

impl Disk {
    pub fn blank() -> Result<Self> {
        Self::new(|_| Ok(()))
    }

    pub fn ext4() -> Result<Self> {
        // No kernel thread should be busy with what mkfs left for later.
        let options = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        Self::new(|file| run(command("mkfs.ext4").args(options).arg(file)))
    }

    fn new(format: impl Fn(&Path) -> Result<()>) -> Result<Self> {
        let file = Path::new(TMPFS).join(format!("stillwatch-bench-{}", std::process::id()));
        let disk = fill(&file).and_then(|()| format(&file)).and_then(|()| attach(&file));
        // Where there is none, the error is why.
        let _ = fs::remove_file(&file);
        disk
    }
}

/// A hole would be read faster than a disk's block can be.
fn fill(file: &Path) -> Result<()> {
    let mut image = File::create(file).with_context(|| format!("creating {}", file.display()))?;
    io::copy(&mut io::repeat(0).take(BYTES), &mut image).context("filling the disk")?;
    Ok(())
}

fn attach(file: &Path) -> Result<Disk> {
    let device = read(command("losetup").args(["--find", "--show"]).arg(file))?.trim().to_owned();
    let open = File::open(&device).with_context(|| format!("opening {device}"));
    // While it is open, this means: later, when nobody has it open any more.
    read(command("losetup").arg("--detach").arg(&device))?;
    Ok(Disk { device, _open: open? })
}

/// Not in every root's PATH.
fn command(program: &str) -> Command {
    Command::new(which(program).unwrap_or_else(|| PathBuf::from(program)))
}
