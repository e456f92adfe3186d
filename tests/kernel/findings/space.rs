//! File systems that fill up, room that nobody sees, and processes that run out of descriptors.

use std::{
    ffi::CString,
    fs::{self, File},
    os::{fd::IntoRawFd, unix::ffi::OsStrExt},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::{Filesystem, LoopDevice, MIB, Tmpfs},
        disk::fill,
        here,
        stillwatch::Watch,
        workload::{Workload, call, rename, sleep},
    },
    is_sound, names, only, wait_for,
};

pub const TESTS: &[Test] = &[
    here("findings_disk_filling_and_full", filling),
    here("findings_deleted_open", deleted),
    here("findings_descriptors", descriptors),
];

/// One of two processes that have a log open writes steadily: when it will be full is said before it is.
fn filling() -> Result<()> {
    const SIZE: u64 = 384 * MIB;
    const STEP: Duration = Duration::from_millis(100);
    // In each step; 6 MiB/s, so that it takes more than 40 s.
    const BYTES: usize = 629_147;
    let place = Tmpfs::new(c"size=384m")?;
    fill(&place.path.join("before"), SIZE / 3)?;
    let named = CString::new(place.path.join("log").as_os_str().as_bytes())?;
    let open = || {
        // SAFETY: a string that ends.
        unsafe { libc::open(named.as_ptr(), libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o600) }
    };
    let idle = Workload::new(|| [open() as u64, 0])?;
    idle.go();
    idle.report()?;
    let writer = Workload::new(|| {
        rename(c"logger");
        let log = open();
        let block = [7_u8; 1 << 20];
        let start = Instant::now();
        for step in 0.. {
            if call(libc::SYS_write, [log as u64, block.as_ptr() as u64, BYTES as u64]) != BYTES as i64 {
                break;
            }
            sleep((STEP * (step + 1)).saturating_sub(start.elapsed()));
        }
        // When it failed.
        let at = Timestamp::now();
        [at.as_microsecond() as u64, 0]
    })?;
    let mut watch = Watch::everything(&[])?;
    writer.go();
    let mount = place.path.to_string_lossy().into_owned();
    let found = wait_for(&mut watch, "disk_filling", |finding| finding["subject"] == mount.as_str())?;
    is_sound(&found)?;
    ensure!(names(&found, "culprits", writer.pid), "{found}");
    let words = found["statement"].as_str().unwrap_or_default();
    ensure!(words.contains("logger") && words.contains("/log by "), "{found}");
    let said = full_at(&watch, &mount)?;
    // It has not been full yet.
    ensure!(!writer.has_reported(), "too late: {found}");
    let full = writer.report()?[0] as f64 / 1e6;
    let (ahead, off) = (full - said.0, (said.1 - full).abs());
    ensure!(ahead > 5.0 && off <= 0.1 * ahead + 1.0, "said {} s before it was full, and {off} s off", ahead);
    let found = wait_for(&mut watch, "disk_full", |finding| finding["subject"] == mount.as_str())?;
    is_sound(&found)?;
    only(&watch, &["disk_filling", "disk_full"])
}

/// When a file system is full, as it was said last, and when that was said; seconds of the clock.
fn full_at(watch: &Watch, mount: &str) -> Result<(f64, f64)> {
    let lines = watch.snapshots.iter().rev().filter(|line| line["probe"] == "disk");
    let row = |line: &Value| line["filesystems"].as_array()?.iter().find(|row| row["mount"] == mount).cloned();
    let (line, row) = lines.filter_map(|line| Some((line, row(line)?))).next().context("no line")?;
    let at: Timestamp = line["at"].as_str().context("no time")?.parse()?;
    let at = at.as_microsecond() as f64 / 1e6;
    let left = row["full_in_ns"].as_f64().with_context(|| format!("{row}"))? / 1e9;
    Ok((at, at + left))
}

/// A quarter of a file system is held by a file without a name.
fn deleted() -> Result<()> {
    let device = LoopDevice::new(64 * MIB)?;
    let place = Filesystem::on(&device.name)?;
    fill(&place.path.join("kept"), 36 * MIB)?;
    let path = place.path.join("rotated.log");
    fill(&path, 12 * MIB)?;
    let file = File::open(&path)?;
    let holder = Workload::new(move || {
        rename(c"holder");
        [file.into_raw_fd() as u64, 0]
    })?;
    holder.go();
    holder.report()?;
    fs::remove_file(&path)?;
    let mut watch = Watch::everything(&[])?;
    let mount = place.path.to_string_lossy().into_owned();
    let found = wait_for(&mut watch, "deleted_open", |finding| finding["subject"] == mount.as_str())?;
    is_sound(&found)?;
    let words = found["statement"].as_str().unwrap_or_default();
    ensure!(names(&found, "culprits", holder.pid) && words.contains("rotated.log"), "{found}");
    only(&watch, &["deleted_open"])
}

/// Opens 953 descriptors of 1,009 when it is told to.
pub fn leaker() -> Result<Workload> {
    Workload::new(|| {
        rename(c"leaks");
        let limit = libc::rlimit { rlim_cur: 1009, rlim_max: 1009 };
        // SAFETY: a live structure; descriptors of our own.
        unsafe {
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            (0..953).for_each(|_| {
                libc::dup(0);
            });
        }
        [0; 2]
    })
}

fn descriptors() -> Result<()> {
    let opener = leaker()?;
    let mut watch = Watch::everything(&[])?;
    opener.go();
    opener.report()?;
    let found = wait_for(&mut watch, "descriptors", |finding| names(finding, "victims", opener.pid))?;
    is_sound(&found)?;
    only(&watch, &["descriptors"])
}
