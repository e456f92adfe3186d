//! Devices that do nothing, in a time that is exact.

use std::{ffi::CString, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use super::{load, put, skip, wait_for};

const CONFIGFS: &str = "/sys/kernel/config";

pub struct NullBlk {
    pub name: String,
    directory: PathBuf,
}

impl NullBlk {
    /// With these attributes beside those of a small device that takes `completion_ns` for a request.
    pub fn new(completion_ns: u64, attributes: &[(&str, &str)]) -> Result<Self> {
        load("null_blk", &["nr_devices=0"])?;
        if !fs::exists(format!("{CONFIGFS}/nullb"))? {
            mount_configfs()?;
        }
        if !fs::exists(format!("{CONFIGFS}/nullb"))? {
            return Err(skip("null_blk is not in configfs"));
        }
        // Newer kernels call the device what its directory is called, older ones have an index.
        let wanted = "nullb77";
        let directory = PathBuf::from(CONFIGFS).join("nullb").join(wanted);
        fs::create_dir(&directory)?;
        let mut device = Self { name: String::new(), directory };
        let completion_ns = completion_ns.to_string();
        let own = [("size", "64"), ("queue_mode", "2"), ("irqmode", "2"), ("completion_nsec", completion_ns.as_str())];
        for (attribute, value) in own.iter().chain(attributes) {
            put(&device.directory, attribute, value)?;
        }
        put(&device.directory, "power", "1")?;
        let index = fs::read_to_string(device.directory.join("index")).unwrap_or_default();
        let names = [wanted.to_owned(), format!("nullb{}", index.trim())];
        let there = names.into_iter().find(|name| fs::exists(format!("/sys/block/{name}")).unwrap_or(false));
        device.name = there.context("null_blk made no device")?;
        wait_for(&device.name)?;
        Ok(device)
    }

    /// These sectors fail from now on.
    pub fn break_sectors(&self, from: u64, to: u64) -> Result<()> {
        put(&self.directory, "badblocks", &format!("+{from}-{to}"))
    }
}

impl Drop for NullBlk {
    fn drop(&mut self) {
        let _ = put(&self.directory, "power", "0");
        let _ = fs::remove_dir(&self.directory);
    }
}

fn mount_configfs() -> Result<()> {
    let (kind, at) = (c"configfs", CString::new(CONFIGFS)?);
    // SAFETY: NUL-terminated strings.
    let result = unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
    ensure!(result == 0, "mounting configfs: {}", std::io::Error::last_os_error());
    Ok(())
}
