//! Whose the writes are that the kernel makes later.

use std::{ffi::CStr, fs::File, os::fd::OwnedFd};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::{Filesystem, LoopDevice, MIB, buffered, direct},
        every_kernel, here,
        workload::{Workload, rename},
    },
    seen::{Seen, fresh, watch},
    work::{BLOCK, fsync, syncfs, write_range, writes_of_shared_memory},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_names_a_writer_that_has_ended", ended),
    every_kernel("io_names_who_writes_from_shared_memory", shared_memory),
    here("io_splits_a_file_over_its_writers", proportion),
    here("io_says_that_pages_were_dirtied_before_start", before),
];

fn open(filesystem: &Filesystem, name: &str) -> Result<OwnedFd> {
    Ok(File::options().create(true).read(true).write(true).truncate(false).open(filesystem.path.join(name))?.into())
}

/// A process of this name that writes a piece of the file.
fn writer(name: &'static CStr, fd: &OwnedFd, offset: u64, bytes: u64) -> Result<Workload> {
    Workload::new(|| {
        rename(name);
        [write_range(fd, BLOCK, offset, bytes).into(), 0]
    })
}

fn write(writer: &Workload) -> Result<()> {
    writer.go();
    ensure!(writer.report()? == [1, 0], "the writer could not write");
    Ok(())
}

/// Another process has everything written.
fn sync(fd: &OwnedFd, how: fn(&OwnedFd) -> i64) -> Result<()> {
    let sync = Workload::new(|| [u64::from(how(fd) == 0), 0])?;
    sync.go();
    ensure!(sync.report()? == [1, 0], "sync failed");
    Ok(())
}

fn written(seen: &Seen, device: &str) -> u64 {
    seen.device(device, "write").bytes + seen.device(device, "sync write").bytes
}

fn writeback_of(pid: u32) -> impl Fn(&Value) -> bool {
    move |row| row["pid"] == pid && row["how"] == "writeback"
}

fn ended() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let writer = writer(c"the-writer", &fd, 0, 32 * MIB)?;
    write(&writer)?;
    let pid = writer.pid;
    writer.end();
    sync(&fd, syncfs)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    ensure!(all >= 32 * MIB, "only {all} bytes were written");
    let [own, _] = seen.caused(&device.name, |row| writeback_of(pid)(row) && row["comm"] == "the-writer");
    ensure!(own >= all * 9 / 10, "{own} of {all}: {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}

fn proportion() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let filesystem = Filesystem::on(&device.name)?;
    let fd = open(&filesystem, "file")?;
    let watch = watch(&[])?;
    let writers = [writer(c"three-parts", &fd, 0, 24 * MIB)?, writer(c"one-part", &fd, 24 * MIB, 8 * MIB)?];
    writers.iter().try_for_each(write)?;
    sync(&fd, fsync)?;
    let seen = Seen::until_now(watch)?;
    let [three, one] = [0, 1].map(|at: usize| seen.caused(&device.name, writeback_of(writers[at].pid))[0]);
    let all = written(&seen, &device.name);
    ensure!(three + one >= all * 9 / 10, "{three} + {one} of {all}");
    let percent = three * 100 / (three + one).max(1);
    ensure!((65..=85).contains(&percent), "{three} and {one}: {percent}%");
    Ok(())
}

/// Its pages are those of a file, in memory: nobody dirtied them for a disk.
fn shared_memory() -> Result<()> {
    const WRITES: u64 = 503;
    let device = LoopDevice::new(4 * MIB)?;
    let fd = direct(&device.name)?;
    let writer = Workload::new(|| [writes_of_shared_memory(&fd, WRITES), 0])?;
    let watch = watch(&[])?;
    writer.go();
    ensure!(writer.report()? == [0; 2], "writes failed");
    let seen = Seen::until_now(watch)?;
    seen.has_caused(&device.name, WRITES, |row| row["pid"] == writer.pid && row["how"] == "direct")
}

/// On the device itself, where no filesystem adds anything.
fn before() -> Result<()> {
    let device = LoopDevice::new(16 * MIB)?;
    let fd = buffered(&device.name)?;
    let writer = writer(c"too-early", &fd, 0, 8 * MIB)?;
    write(&writer)?;
    let watch = fresh()?;
    sync(&fd, fsync)?;
    let seen = Seen::until_now(watch)?;
    let all = written(&seen, &device.name);
    ensure!(all == 8 * MIB, "{all} bytes were written");
    let unknown = |row: &Value| row["pid"].is_null() && row["unknown"] == "pages dirtied before we started";
    let [bytes, _] = seen.caused(&device.name, |row| unknown(row) && row["how"] == "writeback");
    ensure!(bytes == all, "{bytes}: {:?}", seen.rows("caused_by", "device", &*device.name));
    Ok(())
}
