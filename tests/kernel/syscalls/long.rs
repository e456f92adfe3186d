//! Long mode, which the overview uses: sleeps over the threshold of 10 ms, and calls that sleep now.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, every_kernel,
        stillwatch::{Watch, add_buckets, losses},
        workload::{Workload, sleep, sleep_23_times},
    },
    in_flight::{Lock, in_flight, wait_for_lock},
};

pub const TESTS: &[Test] = &[every_kernel("syscalls_long_mode_sees_sleeps_that_last", long)];

const SHORT: usize = 500;

fn is_ours(snapshot: &Value) -> bool {
    snapshot["probe"] == "syscalls"
}

/// The next interval's system calls.
fn next(watch: &mut Watch) -> Result<Value> {
    loop {
        let snapshot = watch.next()?;
        if is_ours(snapshot) {
            return Ok(snapshot.clone());
        }
    }
}

/// One process waits for a lock since before the run and one since it began, a third sleeps for long and often for a moment.
fn long() -> Result<()> {
    let lock = Lock::new()?;
    let waits = || {
        wait_for_lock(&lock.path);
        [0; 2]
    };
    let (older, younger) = (Workload::new(waits)?, Workload::new(waits)?);
    let sleeper = Workload::new(|| {
        (0..SHORT).for_each(|_| sleep(Duration::from_micros(100)));
        sleep_23_times()
    })?;
    older.go();
    sleep(Duration::from_millis(300));
    let pids = [&older, &younger, &sleeper].map(|workload| workload.pid.to_string());
    let mut watch = Watch::every("0.2", "", &["-p", &pids[0], "-p", &pids[1], "-p", &pids[2]], &[])?;
    younger.go();
    let since = Instant::now();
    sleeper.go();
    let [median_ns, _] = sleeper.report()?;
    let asked = Instant::now();
    let now = next(&mut watch)?;
    let age_of = |pid| in_flight(&now, pid, "flock").map(|call| call["age_ns"].as_u64());
    ensure!(age_of(older.pid) == Some(None), "it is older than the run: {now}");
    let age_ns = age_of(younger.pid).flatten().context("it waits for the lock")?;
    let known = (asked - since)..=since.elapsed();
    let (least, most) = (known.start().as_nanos() as u64, known.end().as_nanos() as u64);
    // A tick is told after it was taken.
    ensure!(age_ns + 300_000_000 >= least && age_ns <= most, "{age_ns} and not {known:?}");
    drop(lock);
    older.report()?;
    younger.report()?;
    next(&mut watch)?;
    ensure!(in_flight(&next(&mut watch)?, younger.pid, "flock").is_none(), "it has returned");
    watch.stop()?;
    let mut sleeps = BTreeMap::new();
    let mut slow = Vec::new();
    for calls in watch.snapshots.iter().filter(|snapshot| is_ours(snapshot)) {
        ensure!(calls["mode"] == "long", "{calls}");
        let rows = calls["syscalls"].as_array().into_iter().flatten();
        rows.filter(|row| row["syscall"] == "nanosleep" || row["syscall"] == "clock_nanosleep")
            .for_each(|row| add_buckets(&mut sleeps, &row["histogram"]));
        slow.extend(calls["slow"].as_array().into_iter().flatten().cloned());
    }
    let all: u64 = sleeps.values().sum();
    let right: u64 = sleeps.range(35_000_000..).map(|(_, count)| count).sum();
    ensure!(right == 23, "{right} of {all} sleeps of {median_ns} ns: {sleeps:?}");
    // A moment may be longer than it was meant to be.
    ensure!(all - right <= SHORT as u64 / 20, "{sleeps:?}");
    let of_younger = |row: &&Value| row["pid"] == younger.pid && row["syscall"] == "flock";
    let [row] = slow.iter().filter(of_younger).collect::<Vec<_>>()[..] else { anyhow::bail!("{slow:?}") };
    ensure!(row["max_ns"].as_u64() >= Some(age_ns) && row["count"] == 1, "{row}");
    let full = losses(&watch.snapshots).get("sleepers full").copied().unwrap_or(0);
    ensure!(full == 0, "{full} sleepers without a place");
    Ok(())
}
