//! Compressed memory as a disk, which takes bios: it has no request queue.

use std::{fs, path::PathBuf};

use anyhow::Result;

use super::{load, put, wait_for};

const CONTROL: &str = "/sys/class/zram-control";

pub struct Zram {
    pub name: String,
}

impl Zram {
    pub fn new(bytes: u64) -> Result<Self> {
        if !fs::exists(CONTROL)? {
            load("zram", &["num_devices=0"])?;
        }
        // What it compresses with, unless told otherwise, is a module of its own in older kernels; built in, it is not found.
        let _ = load("lzo_rle", &[]);
        let number = fs::read_to_string(format!("{CONTROL}/hot_add"))?;
        let device = Self { name: format!("zram{}", number.trim()) };
        wait_for(&device.name)?;
        put(&PathBuf::from("/sys/block").join(&device.name), "disksize", &bytes.to_string())?;
        Ok(device)
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        let _ = fs::write(format!("{CONTROL}/hot_remove"), &self.name[4..]);
    }
}
