//! Who writes, where descriptors do not say it, and what is gone before it is looked at.

use std::{
    ffi::CString,
    fs::{self, File},
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        devices::{Filesystem, LoopDevice, MIB, Tmpfs},
        stillwatch::{Watch, losses},
        workload::{Workload, call, rename, sleep},
    },
    write,
};

/// A tenth of 10.007 MiB.
const PIECE: usize = 1_049_310;

/// Two processes share a descriptor and its place, and one of them writes.
pub fn inherited() -> Result<()> {
    shared(|fd, _| write(fd, PIECE))
}

/// Nobody's place moves.
pub fn places() -> Result<()> {
    shared(|fd, at| {
        let bytes = [7; 4096];
        for from in (0..PIECE).step_by(bytes.len()) {
            let part = bytes.len().min(PIECE - from) as u64;
            let at = (at * PIECE + from) as u64;
            // SAFETY: a live buffer.
            unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes.as_ptr(), part, at) };
        }
    })
}

/// What the file grew by is the writer's, or nobody's: the sum is exact, most of it is named, and no other name stands there.
fn shared(piece: impl Fn(i32, usize)) -> Result<()> {
    const PIECES: usize = 31;
    let device = LoopDevice::new(128 * MIB)?;
    let on_it = Filesystem::on(&device.name)?;
    let path = on_it.path.join("shared");
    let file = File::create(&path)?;
    let fd = file.as_raw_fd();
    let writer = Workload::new(|| {
        rename(c"writer");
        for at in 0..PIECES {
            piece(fd, at);
            sleep(Duration::from_millis(100));
        }
        [0; 2]
    })?;
    let other = Workload::new(|| [0; 2])?;
    drop(file);
    let inode = fs::metadata(&path)?.ino();
    let mut watch = Watch::of("disk", &["--writers"], &[])?;
    while watch.next()?["growing"].is_null() {}
    let before = watch.snapshots.len();
    writer.go();
    writer.report()?;
    let size = (PIECES * PIECE) as u64;
    let grown = |watch: &Watch| -> Vec<Value> {
        let rows = watch.snapshots[before..].iter().filter_map(|line| line["growing"].as_array()).flatten();
        rows.filter(|row| row["inode"] == inode).cloned().collect()
    };
    let until = Instant::now() + Duration::from_secs(60);
    while sum(&grown(&watch), "bytes") < size && Instant::now() < until {
        watch.next()?;
    }
    let rows = grown(&watch);
    let all = sum(&rows, "bytes");
    // Blocks that say where its blocks are count as allocated.
    ensure!((size..size + size / 100).contains(&all), "{all} of {size}: {rows:#?}");
    let named: Vec<Value> = rows.iter().filter(|row| !row["pid"].is_null()).cloned().collect();
    ensure!(named.iter().all(|row| row["pid"] == writer.pid && row["comm"] == "writer"), "another's: {rows:#?}");
    ensure!(rows.iter().all(|row| row["writers"] == 2 && row["dirtied_by"].is_null()), "{rows:#?}");
    ensure!(sum(&named, "bytes") >= size / 2, "{} of {size} are named: {rows:#?}", sum(&named, "bytes"));
    drop(other);
    Ok(())
}

const FILES: u64 = 503;
const BYTES: usize = 64 << 10;
const SPOOLED: u64 = FILES * BYTES as u64;

/// 500 files of 64 KiB a second, none of which is open for long: the sum is exact, in their directory.
pub fn soon_closed() -> Result<()> {
    let (rows, lost, place) = spool(&[])?;
    ensure!(sum(&rows, "passing_bytes") == SPOOLED && sum(&rows, "bytes") == SPOOLED, "not {SPOOLED}: {rows:#?}");
    // One may be written when a walk begins, and is one of both intervals.
    let files = sum(&rows, "files");
    ensure!((FILES..=FILES + rows.len() as u64).contains(&files), "{files} of {FILES}: {rows:#?}");
    ensure!(rows.iter().all(|row| row["path"] == place && row["comm"] == "spooler"), "{rows:#?}");
    ensure!(lost == 0, "{lost} are lost");
    Ok(())
}

/// What there is no room for is said.
pub fn too_many() -> Result<()> {
    let (rows, lost, _) = spool(&[("STILLWATCH_DIRTIED", "32")])?;
    let seen = sum(&rows, "passing_bytes");
    ensure!(seen < SPOOLED && lost > 0 && seen + lost >= almost_all(), "{seen} and {lost} of {SPOOLED}");
    Ok(())
}

/// The last file that a CPU wrote is not lost before it writes another one.
fn almost_all() -> u64 {
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
    SPOOLED - processors * BYTES as u64
}

fn sum(rows: &[Value], key: &str) -> u64 {
    rows.iter().filter_map(|row| row[key].as_u64()).sum()
}

/// The spooler's rows of directories, bytes that are lost, and where its files are.
fn spool(environment: &[(&str, &str)]) -> Result<(Vec<Value>, u64, String)> {
    let device = LoopDevice::new(128 * MIB)?;
    let on_it = Filesystem::on(&device.name)?;
    let spool = on_it.path.join("var/spool");
    fs::create_dir_all(&spool)?;
    let names = (0..FILES).map(|at| CString::new(spool.join(at.to_string()).as_os_str().as_bytes()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut watch = Watch::of("disk", &["--writers"], environment)?;
    while watch.next()?["growing"].is_null() {}
    let before = watch.snapshots.len();
    let spooler = Workload::new(|| {
        rename(c"spooler");
        for name in &names {
            // SAFETY: a string that ends; a descriptor of our own.
            let fd = unsafe { libc::open(name.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o600) };
            write(fd, BYTES);
            call(libc::SYS_close, [fd as u64, 0, 0]);
            sleep(Duration::from_millis(2));
        }
        [0; 2]
    })?;
    spooler.go();
    spooler.report()?;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        watch.next()?;
        let rows = watch.snapshots[before..].iter().filter_map(|line| line["directories"].as_array()).flatten();
        let rows: Vec<Value> = rows.filter(|row| row["pid"] == spooler.pid).cloned().collect();
        let lost = losses(&watch.snapshots[before..]).get("bytes written without their file").copied().unwrap_or(0);
        let seen = sum(&rows, "passing_bytes");
        if seen >= SPOOLED || lost > 0 && seen + lost >= almost_all() || Instant::now() > until {
            return Ok((rows, lost, spool.to_string_lossy().into_owned()));
        }
    }
}

/// A log that is truncated in place, goes on, and is deleted while it grows: what it grew by each time.
pub fn truncated() -> Result<()> {
    const PARTS: [usize; 3] = [5_000_011, 3_000_017, 2_000_003];
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("log");
    let file = File::options().append(true).create(true).open(&path)?;
    let (fd, inode) = (file.as_raw_fd(), fs::metadata(&path)?.ino());
    let writers = PARTS.map(|part| {
        Workload::new(move || {
            write(fd, part);
            [0; 2]
        })
    });
    let mut watch = Watch::of("disk", &[], &[])?;
    while watch.next()?["growing"].is_null() {}
    // Whole pages are allocated.
    let pages = |bytes: usize| bytes.next_multiple_of(4096) as u64;
    let grows = [pages(PARTS[0]), pages(PARTS[1]), pages(PARTS[1] + PARTS[2]) - pages(PARTS[1])];
    for (at, (writer, grows)) in writers.into_iter().zip(grows).enumerate() {
        let before = watch.snapshots.len();
        let writer = writer?;
        writer.go();
        writer.report()?;
        let grew = |watch: &Watch| -> u64 {
            let rows = watch.snapshots[before..].iter().filter_map(|line| line["growing"].as_array()).flatten();
            rows.filter(|row| row["inode"] == inode).filter_map(|row| row["bytes"].as_u64()).sum()
        };
        let until = Instant::now() + Duration::from_secs(60);
        while grew(&watch) < grows && Instant::now() < until {
            watch.next()?;
        }
        let grew = grew(&watch);
        ensure!(grew == grows, "part {at}: {grew} of {grows}");
        match at {
            0 => file.set_len(0)?,
            _ if path.exists() => fs::remove_file(&path)?,
            _ => {}
        }
        // Until it was looked at as it is now.
        let walk = watch.snapshots.len();
        while !watch.snapshots[walk..].iter().any(|line| line["growing"].is_array()) {
            watch.next().context("no walk")?;
        }
    }
    let line = watch.snapshots.last().context("no line")?;
    let deleted = line["deleted_open"].as_array().into_iter().flatten().find(|row| row["inode"] == inode);
    let deleted = deleted.with_context(|| format!("not among the deleted: {}", line["deleted_open"]))?;
    ensure!(deleted["size_bytes"] == (PARTS[1] + PARTS[2]) as u64, "{deleted}");
    Ok(())
}
