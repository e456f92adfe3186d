//! Loop devices.

use std::{
    fs::File,
    io::Error,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Result, ensure};

use super::{SECTOR, control, load, open, wait_for};

const LOOP_CLR_FD: u64 = 0x4c01;
const LOOP_CONFIGURE: u64 = 0x4c0a;
const LOOP_CTL_GET_FREE: u64 = 0x4c82;
const AUTOCLEAR: u32 = 4;
const PARTSCAN: u32 = 8;
const DIRECT_IO: u32 = 16;
const BLKPG: u64 = 0x1269;
const BLKPG_ADD_PARTITION: i32 = 1;

/// `struct loop_config`, with `struct loop_info64` spread out in it.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    numbers: [u64; 5],
    number_and_encryption: [u32; 3],
    flags: u32,
    names_and_keys: [u8; 160],
    init_and_reserved: [u64; 10],
}

#[repr(C)]
struct Partition {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

#[repr(C)]
struct PartitionCall {
    op: i32,
    flags: i32,
    length: i32,
    data: u64,
}

/// Detached when dropped. When this process is killed, too: nobody else has it open then.
pub struct LoopDevice {
    pub name: String,
    fd: OwnedFd,
}

impl LoopDevice {
    /// Over anonymous memory.
    pub fn new(bytes: u64) -> Result<Self> {
        Self::over(&memory_file(bytes)?)
    }

    pub fn over(file: &File) -> Result<Self> {
        Self::with(file, 0)
    }

    /// What is written to it is handed on as it is, past the page cache of the file's device.
    pub fn directly_over(file: &File) -> Result<Self> {
        Self::with(file, DIRECT_IO)
    }

    fn with(file: &File, flags: u32) -> Result<Self> {
        if !Path::new("/dev/loop-control").exists() {
            load("loop", &[])?;
        }
        let all = open("/dev/loop-control", 0)?;
        for _ in 0..100 {
            let name = format!("loop{}", control(&all, LOOP_CTL_GET_FREE, 0)?);
            wait_for(&name)?;
            let fd = open(&format!("/dev/{name}"), 0)?;
            let config = Config {
                fd: file.as_raw_fd() as u32,
                block_size: 0,
                numbers: [0; 5],
                number_and_encryption: [0; 3],
                flags: AUTOCLEAR | PARTSCAN | flags,
                names_and_keys: [0; 160],
                init_and_reserved: [0; 10],
            };
            match control(&fd, LOOP_CONFIGURE, &raw const config as u64) {
                Ok(_) => return Ok(Self { name, fd }),
                // Somebody else was faster.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::bail!("no free loop device")
    }

    /// Adds a partition, whether or not the kernel reads tables of partitions. Its name.
    pub fn partition(&self, start: u64, bytes: u64) -> Result<String> {
        let mut partition = Partition { start: start as i64, length: bytes as i64, number: 1, names: [0; 128] };
        let data = &raw mut partition as u64;
        let call = PartitionCall { op: BLKPG_ADD_PARTITION, flags: 0, length: size_of::<Partition>() as i32, data };
        ensure!(start.is_multiple_of(SECTOR) && bytes.is_multiple_of(SECTOR), "not in sectors");
        control(&self.fd, BLKPG, &raw const call as u64)?;
        let name = format!("{}p1", self.name);
        wait_for(&name)?;
        Ok(name)
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = control(&self.fd, LOOP_CLR_FD, 0);
    }
}

pub fn memory_file(bytes: u64) -> Result<File> {
    // SAFETY: a NUL-terminated name; the descriptor is ours.
    let file = unsafe {
        let fd = libc::memfd_create(c"stillwatch-test".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        ensure!(fd >= 0, "memfd_create: {}", Error::last_os_error());
        File::from_raw_fd(fd)
    };
    file.set_len(bytes)?;
    Ok(file)
}

/// From now on, nobody can write to the file: a loop device over it reports errors.
pub fn seal(file: &File) -> Result<()> {
    // SAFETY: no memory is involved.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_WRITE) };
    ensure!(result == 0, "F_SEAL_WRITE: {}", Error::last_os_error());
    Ok(())
}
