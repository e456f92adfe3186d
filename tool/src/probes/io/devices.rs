//! Device numbers → names, from sysfs.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use procfs::process::Process;

use crate::{kernel::in_time::in_time, sample::BlockDevice};

/// Names, kept while the device is there: numbers are given out again.
#[derive(Default)]
pub struct Devices {
    known: HashMap<u32, BlockDevice>,
    /// Those with a size, when they were looked at last.
    blocks: Vec<String>,
}

impl Devices {
    /// Looks at which disks and partitions there are. True if there is one now whose driver takes bios, past the hooks for requests. One
    /// without a size is not set up, as the first of zram's is on many hosts: it gets none, and is not among them.
    pub fn refresh(&mut self) -> bool {
        let text = fs::read_to_string("/proc/partitions").unwrap_or_default();
        let blocks: Vec<String> = sized(&text).map(str::to_owned).collect();
        if blocks == self.blocks {
            return false;
        }
        self.blocks = blocks;
        self.known.clear();
        self.blocks.iter().any(|disk| takes_bios(disk))
    }

    /// The device with this number as the kernel's programs see it: 12 bits major, 20 bits minor.
    pub fn get(&mut self, dev: u32) -> BlockDevice {
        self.known.entry(dev).or_insert_with(|| look_up(dev)).clone()
    }
}

/// Names, from `   7        0    1048576 loop0`.
fn sized(partitions: &str) -> impl Iterator<Item = &str> {
    partitions.lines().skip(2).filter_map(|line| line.split_ascii_whitespace().nth(3))
}

fn takes_bios(disk: &str) -> bool {
    // A partition has no place of its own.
    let place = Path::new("/sys/block").join(disk.replace('/', "!"));
    place.exists() && !place.join("mq").exists()
}

fn look_up(dev: u32) -> BlockDevice {
    let (major, minor) = (dev >> 20, dev & 0xf_ffff);
    let gone = || BlockDevice { name: format!("{major}:{minor}"), disk: dev, ..BlockDevice::default() };
    let Ok(directory) = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")) else { return gone() };
    let Some(name) = directory.file_name().map(|name| name.to_string_lossy().into_owned()) else { return gone() };
    // A partition lies in the directory of its disk.
    let whole = if directory.join("partition").exists() { directory.parent() } else { None };
    let disk = whole.and_then(|disk| number(&text(&disk.join("dev"))?)).unwrap_or(dev);
    let below = below(whole.unwrap_or(&directory));
    BlockDevice { alias: text(&directory.join("dm/name")), name, disk, below }
}

/// Those that a disk lies on.
fn below(disk: &Path) -> Vec<u32> {
    let file = text(&disk.join("loop/backing_file"));
    let file = file.and_then(|file| in_time("the file of a loop device", move || of_file(Path::new(&file)))?);
    let parts = fs::read_dir(disk.join("slaves")).into_iter().flatten().flatten();
    let parts = parts.filter_map(|part| number(&text(&part.path().join("dev"))?));
    // Number 0 is no disk's: a filesystem in memory, or on a network.
    file.into_iter().chain(parts).filter(|dev| dev >> 20 != 0).collect()
}

/// The device below a file. The table of mounts is asked, not the file: its filesystem may be what hangs. Who mounts something may hold that
/// up, too.
fn of_file(file: &Path) -> Option<u32> {
    if let Some(dev) = of_node(file) {
        return Some(dev);
    }
    let mounts = Process::myself().and_then(|process| process.mountinfo()).ok()?;
    let above = mounts.0.into_iter().filter(|mount| file.starts_with(&mount.mount_point));
    number(&above.max_by_key(|mount| mount.mount_point.as_os_str().len())?.majmin)
}

/// The device that a file stands for. devtmpfs lives in memory, but something else may be mounted there.
pub fn of_node(file: &Path) -> Option<u32> {
    let file = file.starts_with("/dev").then(|| fs::metadata(file).ok())??;
    file.file_type().is_block_device().then(|| libc::major(file.rdev()) << 20 | libc::minor(file.rdev()))
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// All disks that there are, with where sysfs tells of them.
pub fn disks() -> impl Iterator<Item = (u32, PathBuf)> {
    fs::read_dir("/sys/block").into_iter().flatten().flatten().filter_map(|entry| {
        let dev = fs::read_to_string(entry.path().join("dev")).ok()?;
        Some((number(dev.trim())?, entry.path()))
    })
}

/// `8:1` as one number.
pub fn number(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once(':')?;
    Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_and_partitions_with_a_size_have_names() {
        let text = "major minor  #blocks  name\n\n 254        0  268435456 vda\n 254        1    1048576 vda1\nodd\n";
        assert_eq!(sized(text).collect::<Vec<_>>(), ["vda", "vda1"]);
    }
}
