//! Disks that are slow, that hang, and tasks that wait for what is no disk.

use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::{FewDirty, Filesystem, LoopDevice, MIB, NullBlk, Slow, buffered, direct},
        here,
        io::work::{BLOCK, reads, syncs, threads, write_range, writes},
        one_machine,
        stillwatch::Watch,
        workload::{Workload, sleep},
    },
    LATE, is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_device_saturated", saturated),
    one_machine("findings_device_saturated_of_one_request_at_a_time", saturated_queue),
    here("findings_sync_stall", sync_stall),
    here("findings_sync_stall_of_a_slow_disk", slow_sync),
    here("findings_io_hung", hung),
    here("findings_dirty_throttling", throttled),
    here("findings_stuck_tasks", stuck),
];

/// Writers pause so long: else the few writes that wait are lost among those that are done at once.
const PAUSE: Duration = Duration::from_millis(5);

/// A process that keeps a disk busy, and one that wants it now and then.
fn busy(fd: &OwnedFd, block: fn(&OwnedFd, u64) -> u64) -> Result<[Workload; 2]> {
    let forever = move |pause: Duration| -> u64 {
        loop {
            block(fd, 1);
            sleep(pause);
        }
    };
    let culprit = Workload::new(|| [threads(8, || forever(PAUSE)), 0])?;
    let victim = Workload::new(|| [forever(Duration::from_millis(50)), 0])?;
    Ok([culprit, victim])
}

fn saturated_by(finding: &Value, device: &str, [culprit, victim]: &[Workload; 2]) -> bool {
    let blamed = names(finding, "culprits", culprit.pid) && !names(finding, "culprits", victim.pid);
    finding["subject"] == *device && names(finding, "victims", victim.pid) && blamed
}

fn saturated() -> Result<()> {
    let slow = Slow::new(4 * MIB)?;
    let workloads = busy(&direct(&slow.device.name)?, writes)?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let found = slow.slow_while(|| {
        workloads.iter().for_each(Workload::go);
        wait_for(&mut watch, "device_saturated", |finding| saturated_by(finding, &slow.device.name, &workloads))
    })?;
    drop(workloads);
    let fault = start.elapsed();
    is_sound(&found)?;
    let statement = found["statement"].to_string();
    ensure!(statement.contains("is saturated"), "{statement}");
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["device_saturated"])
}

/// The disk takes 40 ms for each request, and one at a time: the others wait before it.
fn saturated_queue() -> Result<()> {
    let device = NullBlk::new(40_000_000, &[("hw_queue_depth", "1")])?;
    let workloads = busy(&direct(&device.name)?, reads)?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    workloads.iter().for_each(Workload::go);
    let found = wait_for(&mut watch, "device_saturated", |finding| saturated_by(finding, &device.name, &workloads))?;
    drop(workloads);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["device_saturated"])
}

fn is_of(finding: &Value, device: &str, pid: u32) -> bool {
    finding["subject"] == *device && names(finding, "victims", pid)
}

fn sync_stall() -> Result<()> {
    let slow = Slow::new(4 * MIB)?;
    let fd = buffered(&slow.device.name)?;
    let syncer = Workload::new(|| syncs(&fd))?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let found = slow.slow_while(|| {
        syncer.go();
        wait_for(&mut watch, "sync_stall", |finding| is_of(finding, &slow.device.name, syncer.pid))
    })?;
    drop(syncer);
    synced(watch, &found, start.elapsed())
}

fn slow_sync() -> Result<()> {
    let device = NullBlk::new(100_000_000, &[])?;
    let fd = buffered(&device.name)?;
    let syncer = Workload::new(|| syncs(&fd))?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    syncer.go();
    let found = wait_for(&mut watch, "sync_stall", |finding| is_of(finding, &device.name, syncer.pid))?;
    drop(syncer);
    synced(watch, &found, start.elapsed())
}

fn synced(mut watch: Watch, found: &Value, fault: Duration) -> Result<()> {
    is_sound(found)?;
    let statement = found["statement"].to_string();
    ensure!(statement.contains("fsync"), "{statement}");
    wait_until_over(&mut watch, found, fault, LATE)?;
    only(&watch, &["sync_stall"])
}

/// A disk that completes nothing: the filesystem that holds its file is frozen.
fn hung() -> Result<()> {
    let slow = Slow::new(4 * MIB)?;
    let fd = direct(&slow.device.name)?;
    let writer = Workload::new(|| [writes(&fd, 1), 0])?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let frozen = slow.filesystem.freeze()?;
    writer.go();
    let is_hung = |finding: &Value| is_of(finding, &slow.device.name, writer.pid);
    wait_for(&mut watch, "io_hung", |finding| finding["state"] == "started" && is_hung(finding))?;
    let found = wait_for(&mut watch, "io_hung", |finding| finding["state"] == "ongoing" && is_hung(finding))?;
    drop(frozen);
    let fault = start.elapsed();
    ensure!(writer.report()? == [0; 2], "the write failed");
    is_sound(&found)?;
    // A request is old after two seconds.
    wait_until_over(&mut watch, &found, fault, Duration::from_secs(5))?;
    only(&watch, &["io_hung"])
}

fn throttled() -> Result<()> {
    let slow = Slow::new(24 * MIB)?;
    let _limit = FewDirty::of(&slow.device.name)?;
    let on_it = Filesystem::on(&slow.device.name)?;
    let file: OwnedFd = File::create_new(on_it.path.join("file"))?.into();
    let writer = Workload::new(|| {
        loop {
            write_range(&file, BLOCK, 0, 8 * MIB);
        }
    })?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let found = slow.slow_while(|| {
        writer.go();
        wait_for(&mut watch, "dirty_throttling", |finding| names(finding, "victims", writer.pid))
    })?;
    drop(writer);
    let fault = start.elapsed();
    is_sound(&found)?;
    let statement = found["statement"].to_string();
    ensure!(statement.contains(&format!("{} moves", slow.device.name)), "another disk: {statement}");
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["dirty_throttling"])
}

/// A writer to a filesystem that is frozen: no disk is to blame.
fn stuck() -> Result<()> {
    let below = LoopDevice::new(32 * MIB)?;
    let filesystem = Filesystem::on(&below.name)?;
    let file: OwnedFd = File::create_new(filesystem.path.join("file"))?.into();
    let writer = Workload::new(|| {
        // SAFETY: a byte of a constant.
        [unsafe { libc::write(file.as_raw_fd(), c"1".as_ptr().cast(), 1) } as u64, 0]
    })?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    let frozen = filesystem.freeze()?;
    writer.go();
    let is_stuck = |finding: &Value| is_of(finding, "filesystem frozen", writer.pid);
    wait_for(&mut watch, "stuck_tasks", |finding| finding["state"] == "started" && is_stuck(finding))?;
    let found = wait_for(&mut watch, "stuck_tasks", |finding| finding["state"] == "ongoing" && is_stuck(finding))?;
    drop(frozen);
    let fault = start.elapsed();
    ensure!(writer.report()? == [1, 0], "the write failed");
    is_sound(&found)?;
    ensure!(found["culprits"].as_array().is_some_and(Vec::is_empty), "nobody is known to have done it: {found}");
    // A task is stuck after five seconds.
    wait_until_over(&mut watch, &found, fault, Duration::from_secs(8))?;
    only(&watch, &["stuck_tasks"])
}
