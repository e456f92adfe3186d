//! Mapped devices of one target.

use std::{fs, os::fd::OwnedFd, path::Path};

use anyhow::{Result, ensure};

use super::{SECTOR, control, load, open, wait_for};

/// `struct dm_ioctl`, with room for one target behind it.
#[repr(C)]
struct Call {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    dev: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
    target: Target,
}

#[repr(C)]
struct Target {
    start: u64,
    sectors: u64,
    status: i32,
    next: u32,
    kind: [u8; 16],
    parameters: [u8; 128],
}

const HEAD: usize = 312;
const _: () = assert!(std::mem::offset_of!(Call, target) == HEAD);

const CREATE: u64 = 3;
const REMOVE: u64 = 4;
const RESUME: u64 = 6;
const LOAD: u64 = 9;

/// The `_IOWR` of device mapper's call of this number.
const fn request(number: u64) -> u64 {
    3 << 30 | (HEAD as u64) << 16 | 0xfd << 8 | number
}

pub struct Mapper {
    /// Of the kernel: `dm-0`.
    pub name: String,
    /// Ours.
    pub alias: String,
    control: OwnedFd,
}

impl Mapper {
    /// All reads and writes of the device below come after `milliseconds`.
    pub fn delay(below: &str, bytes: u64, milliseconds: u32) -> Result<Self> {
        load("dm_delay", &[])?;
        Self::new(bytes, "delay", &format!("/dev/{below} 0 {milliseconds}"))
    }

    /// All requests fail.
    pub fn error(bytes: u64) -> Result<Self> {
        load("dm_mod", &[])?;
        Self::new(bytes, "error", "")
    }

    fn new(bytes: u64, kind: &str, parameters: &str) -> Result<Self> {
        let control = open("/dev/mapper/control", 0)?;
        let alias = format!("stillwatch-{}", std::process::id());
        let mut device = Self { name: String::new(), alias, control };
        let dev = device.call(CREATE, None)?.dev;
        // As user space sees it: the minor's low byte, the major, the rest of the minor.
        let minor = dev & 0xff | dev >> 12 & 0xfff00;
        device.name = format!("dm-{minor}");
        device.call(LOAD, Some((bytes / SECTOR, kind, parameters)))?;
        device.call(RESUME, None)?;
        ensure!(fs::exists(Path::new("/sys/block").join(&device.name))?, "no {}", device.name);
        wait_for(&device.name)?;
        Ok(device)
    }

    fn call(&self, number: u64, target: Option<(u64, &str, &str)>) -> Result<Call> {
        // SAFETY: integers only.
        let mut call: Call = unsafe { std::mem::zeroed() };
        call.version = [4, 0, 0];
        (call.data_size, call.data_start) = (size_of::<Call>() as u32, HEAD as u32);
        call.name[..self.alias.len()].copy_from_slice(self.alias.as_bytes());
        if let Some((sectors, kind, parameters)) = target {
            call.target_count = 1;
            call.target.sectors = sectors;
            call.target.kind[..kind.len()].copy_from_slice(kind.as_bytes());
            call.target.parameters[..parameters.len()].copy_from_slice(parameters.as_bytes());
        }
        control(&self.control, request(number), &raw mut call as u64)?;
        Ok(call)
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.call(REMOVE, None);
    }
}
