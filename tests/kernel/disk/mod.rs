//! The `disk` probe: who grows which file, what deleted files hold, and how many descriptors there are.

mod find;
mod writers;

use std::{
    ffi::CString,
    fs::{self, File},
    io::Write,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Test,
    devices::{MIB, Tmpfs},
    every_kernel,
    stillwatch::Watch,
    workload::{Workload, call, rename, sleep},
};

pub fn tests() -> Vec<Test> {
    vec![
        every_kernel("disk_names_who_grows_a_file", grows),
        every_kernel("disk_takes_off_what_is_truncated", writers::truncated),
        every_kernel("disk_names_who_writes_to_a_shared_descriptor", writers::inherited),
        every_kernel("disk_names_who_writes_to_places", writers::places),
        every_kernel("disk_counts_files_that_are_soon_closed", writers::soon_closed),
        every_kernel("disk_says_what_it_has_no_room_for", writers::too_many),
        every_kernel("disk_counts_a_deleted_file_once", deleted),
        every_kernel("disk_counts_descriptors", descriptors),
        every_kernel("disk_shows_a_file_system_as_statvfs_does", filesystem),
        every_kernel("disk_finds_who_holds_a_mount", find::mount),
        every_kernel("disk_finds_a_loop_device", find::loop_device),
        every_kernel("disk_finds_who_has_a_port", find::port),
        every_kernel("disk_finds_who_has_a_socket", find::socket),
    ]
}

/// Rows of a table of the last snapshot.
fn rows<'a>(line: &'a Value, table: &str) -> Result<&'a Vec<Value>> {
    line[table].as_array().with_context(|| format!("{table}: {}", line[format!("{table}_unknown")]))
}

/// Reads on until there is such a row.
fn wait_for(watch: &mut Watch, table: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    let until = Instant::now() + Duration::from_secs(60);
    let mut last = Value::Null;
    while Instant::now() < until {
        last = watch.next()?.clone();
        if let Some(row) = last[table].as_array().into_iter().flatten().find(|row| fits(row)) {
            return Ok(row.clone());
        }
    }
    anyhow::bail!("no such row: {}", last[table])
}

fn write(fd: i32, bytes: usize) {
    const BLOCK: [u8; 4096] = [7; 4096];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(BLOCK.len());
        call(libc::SYS_write, [fd as u64, BLOCK.as_ptr() as u64, part as u64]);
        left -= part;
    }
}

/// Of two that have the file open for writing, one writes: what it grew by, and nobody else's name.
fn grows() -> Result<()> {
    const PIECES: usize = 41;
    const PIECE: usize = 251_003;
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("a file\nof two lines");
    let named = CString::new(path.as_os_str().as_bytes())?;
    let open = || {
        // SAFETY: a string that ends.
        unsafe { libc::open(named.as_ptr(), libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o600) }
    };
    let writer = Workload::new(|| {
        rename(c"grower");
        let fd = open();
        for _ in 0..PIECES {
            write(fd, PIECE);
            sleep(Duration::from_millis(100));
        }
        [0; 2]
    })?;
    let other = Workload::new(|| [open() as u64, 0])?;
    other.go();
    other.report()?;
    let mut watch = Watch::of("disk", &[], &[])?;
    watch.next()?;
    let before = watch.snapshots.len();
    writer.go();
    writer.report()?;
    // All of it was seen once the file does not grow any more.
    for _ in 0..3 {
        watch.next()?;
    }
    let grown: Vec<&Value> = watch.snapshots[before..]
        .iter()
        .filter_map(|line| line["growing"].as_array())
        .flatten()
        .filter(|row| row["path"] == path.to_string_lossy().as_ref())
        .collect();
    // Of a descriptor that was not there at the walk before it is not known whether it moved.
    let named = |row: &&&Value| row["pid"] == writer.pid && row["comm"] == "grower" && row["writers"] == 2;
    ensure!(grown.len() > 10 && grown.iter().skip(1).all(|row| named(&row)), "another's: {grown:#?}");
    ensure!(grown[0]["pid"].is_null() || named(&&grown[0]), "another's: {grown:#?}");
    // What it had when it was seen first is not counted.
    let first = grown.first().and_then(|row| Some(row["size_bytes"].as_u64()?.saturating_sub(row["bytes"].as_u64()?)));
    let bytes: u64 = grown.iter().filter_map(|row| row["bytes"].as_u64()).sum();
    let size = fs::metadata(&path)?.len();
    ensure!(size == (PIECES * PIECE) as u64 && grown.last().is_some_and(|row| row["size_bytes"] == size), "{grown:#?}");
    // Whole pages are allocated.
    let seen = first.context("nothing grew")? + bytes;
    ensure!((size..=size.next_multiple_of(4096)).contains(&seen), "{seen} of {size}: {grown:#?}");
    drop(other);
    Ok(())
}

/// Held by three processes.
fn deleted() -> Result<()> {
    const BYTES: usize = 10_007 * 1024;
    let place = Tmpfs::new(c"size=64m")?;
    let path = place.path.join("deleted");
    let file = File::create(&path)?;
    write(file.as_raw_fd(), BYTES);
    fs::remove_file(&path)?;
    let holders = (0..3).map(|_| Workload::new(|| [0; 2])).collect::<Result<Vec<_>>>()?;
    drop(file);
    let first = holders.iter().map(|holder| holder.pid).min();
    let mut watch = Watch::of("disk", &[], &[])?;
    let row = wait_for(&mut watch, "deleted_open", |row| row["path"] == path.to_string_lossy().as_ref())?;
    ensure!(row["holders"] == 3 && row["pid"].as_u64().map(|pid| pid as u32) == first, "{row}");
    ensure!(
        row["size_bytes"] == BYTES && row["bytes"] == BYTES.next_multiple_of(4096) && row["in_memory"] == true,
        "{row}"
    );
    ensure!(row["mount"] == place.path.to_string_lossy().as_ref(), "{row}");
    let line = watch.snapshots.last().context("no line")?;
    let count = rows(line, "deleted_open")?.iter().filter(|other| other["inode"] == row["inode"]).count();
    ensure!(count == 1, "{count} rows");
    // It is gone with the last that has it open.
    drop(holders);
    let gone = |line: &Value| {
        line["deleted_open"].as_array().is_some_and(|rows| rows.iter().all(|one| one["path"] != row["path"]))
    };
    for _ in 0..50 {
        if gone(watch.next()?) {
            return Ok(());
        }
    }
    anyhow::bail!("it is still there")
}

/// As many as it opened, and its limit.
fn descriptors() -> Result<()> {
    const LIMIT: u64 = 1009;
    const MORE: u64 = 907;
    let opener = Workload::new(|| {
        let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
        // SAFETY: a live structure; descriptors of our own.
        unsafe {
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            (0..MORE).for_each(|_| {
                libc::dup(0);
            });
        }
        [0; 2]
    })?;
    let mut watch = Watch::of("disk", &["-p", &opener.pid.to_string()], &[])?;
    let own = |row: &Value| row["pid"] == opener.pid;
    let before = wait_for(&mut watch, "descriptors", own)?;
    opener.go();
    opener.report()?;
    let open = before["open"].as_u64().context("no number")? + MORE;
    let row = wait_for(&mut watch, "descriptors", |row| own(row) && row["open"] == open)?;
    let listed = fs::read_dir(format!("/proc/{}/fd", opener.pid))?.count() as u64;
    ensure!(row["limit"] == LIMIT && listed == open, "{listed} listed: {row}");
    let grew: i64 = watch
        .snapshots
        .iter()
        .filter_map(|line| line["descriptors"].as_array())
        .flatten()
        .filter(|row| own(row))
        .filter_map(|row| row["grew"].as_i64())
        .sum();
    ensure!(grew == MORE as i64, "grew by {grew}");
    Ok(())
}

/// Its numbers, and what it grows by.
fn filesystem() -> Result<()> {
    let place = Tmpfs::new(c"size=64m,nr_inodes=1009")?;
    let mut watch = Watch::of("disk", &[], &[])?;
    let own = |row: &Value| row["mount"] == place.path.to_string_lossy().as_ref();
    let before = wait_for(&mut watch, "filesystems", own)?;
    ensure!(
        before["size_bytes"] == 64 * MIB && before["available_bytes"] == 64 * MIB && before["inodes"] == 1009,
        "{before}"
    );
    ensure!(before["type"] == "tmpfs" && before["full_in_ns"].is_null(), "{before}");
    fill(&place.path.join("file"), 17 * MIB)?;
    let row = wait_for(&mut watch, "filesystems", |row| own(row) && row["used_bytes"] == 17 * MIB)?;
    ensure!(row["available_bytes"] == 47 * MIB && row["inodes_free"] == 1009 - 2, "{row}");
    let grew: i64 = watch
        .snapshots
        .iter()
        .flat_map(|line| line["filesystems"].as_array().into_iter().flatten())
        .filter(|row| own(row))
        .filter_map(|row| row["grew_bytes"].as_i64())
        .sum();
    ensure!(grew == 17 * MIB as i64, "grew by {grew}");
    Ok(())
}

pub fn fill(path: &Path, bytes: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let piece = vec![7; MIB as usize];
    for _ in 0..bytes / MIB {
        file.write_all(&piece)?;
    }
    // What is not written yet may not be allocated.
    file.sync_all()?;
    Ok(())
}
