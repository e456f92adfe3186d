//! Who waits, for how long, on what, and because of whom.

use std::{fs::File, os::fd::OwnedFd, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        devices::{Filesystem, LoopDevice, MIB, NullBlk, buffered, direct},
        every_kernel, one_machine,
        stillwatch::Watch,
        workload::{Workload, monotonic_ns, sleep},
    },
    seen::{Seen, number, watch},
    work::{BLOCK, fsync, reads, threads, timed, write_range, writes},
};

pub const TESTS: &[Test] = &[
    every_kernel("io_shows_a_stall_while_it_lasts", frozen),
    every_kernel("io_names_call_reason_and_device_of_a_stall", named),
    one_machine("io_blames_who_keeps_the_device_busy", blame),
];

/// A device that hangs: the filesystem that holds its file is frozen.
fn frozen() -> Result<()> {
    let below = LoopDevice::new(32 * MIB)?;
    let filesystem = Filesystem::on(&below.name)?;
    let file = File::options().create_new(true).read(true).write(true).open(filesystem.path.join("disk"))?;
    file.set_len(4 * MIB)?;
    file.sync_all()?;
    let device = LoopDevice::over(&file)?;
    let (past, through) = (direct(&device.name)?, buffered(&device.name)?);
    let writer = Workload::new(|| [timed(|| writes(&past, 1)), 0])?;
    let syncer = Workload::new(|| {
        write_range(&through, BLOCK, MIB, BLOCK);
        [timed(|| fsync(&through)), 0]
    })?;
    let mut watch = watch(&["--slow", "500ms"])?;

    let freezer = filesystem.freeze()?;
    writer.go();
    syncer.go();
    let (ages, oldest) = hang(&mut watch, writer.pid, &device.name)?;
    drop(freezer);
    ensure!(ages.len() >= 4 && ages.is_sorted(), "now: {ages:?}");
    ensure!(oldest.len() >= 4 && oldest.is_sorted() && oldest.last() >= Some(&2_500_000_000), "oldest: {oldest:?}");

    let waited = [writer.report()?[0], syncer.report()?[0]];
    let seen = Seen::until_now(watch)?;
    for (pid, syscall, reason, waited) in
        [(writer.pid, "pwrite64", "direct I/O", waited[0]), (syncer.pid, "fsync", "waiting for writeback", waited[1])]
    {
        let rows = seen.rows("stalled", "pid", pid);
        let row = rows.iter().max_by_key(|row| number(&row["max_ns"])).with_context(|| format!("no {syscall}"))?;
        ensure!(row["syscall"] == syscall && row["reason"] == reason, "{row}");
        ensure!(rows.iter().all(|row| number(&row["now"]) == 0 || row["device"] == *device.name), "{rows:?}");
        let max = number(&row["max_ns"]);
        ensure!((waited * 9 / 10..=waited).contains(&max), "{syscall}: {max} of {waited} ns: {row}");
    }
    let row = seen.device(&device.name, "sync write");
    // What fsync wrote is a request of this kind, too.
    let longest = waited[0].max(waited[1]);
    ensure!((longest * 9 / 10..=longest).contains(&row.total.max_ns), "{longest} ns waited: {row:?}");
    let own: Vec<_> = seen.events.iter().filter(|event| event["device"] == *device.name).collect();
    let owner = |pid: u32| own.iter().filter(|event| event["pid"] == pid).count();
    ensure!(own.len() == 2 && owner(writer.pid) == 1 && owner(syncer.pid) == 1, "{own:?}");
    let last = seen.snapshots.last().context("no snapshot")?;
    ensure!(!waits_now(last, writer.pid) && !waits_now(last, syncer.pid), "it goes on: {last}");
    Ok(())
}

fn waits_now(snapshot: &Value, pid: u32) -> bool {
    let rows = snapshot["stalled"].as_array();
    rows.into_iter().flatten().any(|row| row["pid"] == pid && number(&row["now"]) > 0)
}

/// Watches a process hang for 2.5 s: the age of its wait, and of the device's oldest request, at each snapshot. The first wait of a run
/// makes one tick late: the names of all kernel functions are read.
fn hang(watch: &mut Watch, pid: u32, device: &str) -> Result<(Vec<u64>, Vec<u64>)> {
    let (mut ages, mut oldest) = (Vec::new(), Vec::new());
    let until = monotonic_ns() + Duration::from_secs(60).as_nanos() as u64;
    while ages.last().is_none_or(|&age| age < 2_500_000_000) {
        ensure!(monotonic_ns() < until, "never 2.5 s old: {ages:?}");
        let snapshot = watch.next()?;
        let rows = |table: &str| snapshot[table].as_array().cloned().unwrap_or_default();
        ages.extend(rows("stalled").iter().filter(|row| row["pid"] == pid).filter_map(|row| row["now_ns"].as_u64()));
        oldest.extend(
            rows("devices")
                .iter()
                .filter(|row| row["device"] == *device)
                .filter_map(|row| row["oldest_ns"].as_u64())
                .max(),
        );
    }
    Ok((ages, oldest))
}

fn named() -> Result<()> {
    let device = NullBlk::new(40_000_000, &[])?;
    let (past, through) = (direct(&device.name)?, buffered(&device.name)?);
    let reader = Workload::new(|| [reads(&past, 11), 0])?;
    let syncer = Workload::new(|| {
        for _ in 0..7 {
            write_range(&through, BLOCK, MIB, BLOCK);
            fsync(&through);
        }
        [0; 2]
    })?;
    let mut watch = watch(&[])?;
    knows_names(&mut watch, &past)?;
    for workload in [&reader, &syncer] {
        workload.go();
        workload.report()?;
    }
    let seen = Seen::until_now(watch)?;
    for (pid, syscall, reason, waits) in
        [(reader.pid, "pread64", "direct I/O", 11), (syncer.pid, "fsync", "waiting for writeback", 7)]
    {
        let rows = seen.rows("stalled", "pid", pid);
        let own: Vec<_> = rows.iter().filter(|row| row["syscall"] == syscall && row["reason"] == reason).collect();
        ensure!(own.iter().map(|row| number(&row["waits"])).sum::<u64>() == waits, "{syscall}: {rows:?}");
        // That a request ended a wait is told from how soon they end: in an emulated machine, not always.
        let [here, unknown] = [device.name.as_str().into(), Value::Null]
            .map(|at| own.iter().filter(|row| row["device"] == at).map(|row| number(&row["waits"])).sum::<u64>());
        ensure!(here + unknown == waits && here >= waits * 3 / 4, "{here} of {waits} name it: {own:?}");
        let total: u64 = own.iter().map(|row| number(&row["total_ns"])).sum();
        ensure!((waits * 38_000_000..waits * 80_000_000).contains(&total), "{total}: {own:?}");
    }
    Ok(())
}

/// The kernel's names are read when the first stack is asked about, which takes an emulated machine longer than a tick waits for.
fn knows_names(watch: &mut Watch, device: &OwnedFd) -> Result<()> {
    for _ in 0..20 {
        let first = Workload::new(|| [reads(device, 1), 0])?;
        first.go();
        first.report()?;
        for _ in 0..2 {
            let rows = watch.next()?["stalled"].as_array().cloned().unwrap_or_default();
            if rows.iter().any(|row| row["pid"] == first.pid && row["reason"].is_string()) {
                return Ok(());
            }
        }
    }
    anyhow::bail!("no name in 40 intervals")
}

/// One request at a time, and eight threads of somebody else's that always want it. The victim pauses between its reads:
/// the next would find the device free that its last one has just left.
fn blame() -> Result<()> {
    let device = NullBlk::new(10_000_000, &[("hw_queue_depth", "1")])?;
    let fd = direct(&device.name)?;
    let victim = Workload::new(|| {
        let read = |_| {
            sleep(Duration::from_millis(50));
            reads(&fd, 1)
        };
        [(0..7).map(read).sum(), 0]
    })?;
    let culprit = Workload::new(|| {
        let until = monotonic_ns() + Duration::from_secs(3).as_nanos() as u64;
        [threads(8, || std::iter::from_fn(|| (monotonic_ns() < until).then(|| reads(&fd, 1))).sum()), 0]
    })?;
    let mut watch = watch(&["--blame"])?;
    culprit.go();
    watch.next()?;
    watch.next()?;
    victim.go();
    victim.report()?;
    let seen = Seen::until_now(watch)?;
    let own: Vec<_> = seen.table("blame").filter(|row| row["victim"]["pid"] == victim.pid).collect();
    let blamed = |pid: u32| -> u64 {
        own.iter().filter(|row| row["culprit"]["pid"] == pid).map(|row| number(&row["blamed_ns"])).sum()
    };
    let all: u64 = own.iter().map(|row| number(&row["blamed_ns"])).sum();
    ensure!(own.iter().all(|row| row["device"] == *device.name), "{own:?}");
    ensure!(all > 50_000_000 && blamed(culprit.pid) >= all * 8 / 10, "{} of {all}: {own:?}", blamed(culprit.pid));
    Ok(())
}
