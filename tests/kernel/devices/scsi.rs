//! A SCSI disk in memory: slow, and with a queue whose depth can be set below that of its host, so that requests wait in
//! the kernel's queue.

use std::{
    ffi::CStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{load, put, wait_for};

const MODULE: &CStr = c"scsi_debug";

pub struct ScsiDebug {
    pub name: String,
}

impl ScsiDebug {
    pub fn new(delay_ns: u64, queue_depth: u32) -> Result<Self> {
        load("sd_mod", &[])?;
        load("scsi_debug", &["dev_size_mb=8", &format!("ndelay={delay_ns}")])?;
        // From here on, dropping unloads it.
        let mut device = Self { name: String::new() };
        device.name =
            find(Path::new("/sys/bus/pseudo/drivers/scsi_debug/adapter0"), 5).context("scsi_debug made no disk")?;
        wait_for(&device.name)?;
        let scsi = PathBuf::from(format!("/sys/block/{}/device", device.name));
        put(&scsi, "queue_depth", &queue_depth.to_string())?;
        Ok(device)
    }
}

/// The only entry of the directory `block` somewhere below.
fn find(directory: &Path, depth: u32) -> Option<String> {
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let entries: Vec<_> = fs::read_dir(directory).ok()?.flatten().collect();
    if directory.ends_with("block") {
        return entries.first().map(name);
    }
    let below = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth > 0;
    entries.iter().filter(|entry| below(entry)).find_map(|entry| find(&entry.path(), depth - 1))
}

impl Drop for ScsiDebug {
    fn drop(&mut self) {
        // SAFETY: a NUL-terminated name.
        unsafe { libc::syscall(libc::SYS_delete_module, MODULE.as_ptr(), libc::O_NONBLOCK) };
    }
}
