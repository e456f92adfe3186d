//! Hosts that have no time and no memory: ticks come all the same, and we do not grow.

use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::{
    super::{
        oom::group::{Group, MIB, holder, is_killed},
        stillwatch::Watch,
        workload::Workload,
    },
    LATE, lateness,
};

const INTERVAL: Duration = Duration::from_millis(250);

fn watch() -> Result<Watch> {
    Watch::every("0.25", "", &[], &[])
}

fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The 99th of a hundred was in time.
fn is_in_time(watch: &Watch, least: usize) -> Result<()> {
    let mut late = lateness(watch, INTERVAL);
    late.sort_unstable();
    let most = late.get((late.len() * 99).div_ceil(100).saturating_sub(1)).context("no tick")?;
    ensure!(late.len() >= least && *most <= LATE, "{} ticks, late by {late:?}", late.len());
    Ok(())
}

/// Ten processes for each CPU that never sleep.
pub fn hogs() -> Result<()> {
    let spin = || {
        Workload::new(|| {
            loop {
                std::hint::spin_loop();
            }
        })
    };
    let hogs = (0..processors() * 10).map(|_| spin()).collect::<Result<Vec<_>>>()?;
    let mut watch = watch()?;
    hogs.iter().for_each(Workload::go);
    while lateness(&watch, INTERVAL).len() < 60 {
        watch.line()?;
    }
    is_in_time(&watch, 60)
}

/// A cgroup without room, in which others are killed one after the other, and we live.
pub fn memory() -> Result<()> {
    let group = Group::new("survival", Some(128 * MIB))?;
    let members = File::options().write(true).open(group.dir.join("cgroup.procs"))?;
    let mut command = stillwatch();
    // SAFETY: it writes to a file that is open.
    unsafe { command.pre_exec(move || (&members).write_all(b"0")) };
    let mut watch = Watch::run(command, "0.25", "", &[], &[])?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let hungry = holder(c"hungry", 160 * MIB, &group)?;
        hungry.go();
        is_killed(&hungry)?;
        watch.next()?;
    }
    watch.stop()?;
    let kills = watch.events.iter().filter(|event| event["event"] == "oom_kill").count();
    ensure!(kills > 3, "{kills} kills");
    is_in_time(&watch, 30)
}

/// Processes that begin and end, thousands in a second on an idle host: what we keep of them does not add up.
pub fn forks() -> Result<()> {
    let fork = || {
        Workload::new(|| {
            loop {
                // SAFETY: the child does nothing but end, and is reaped.
                unsafe {
                    let child = libc::fork();
                    if child == 0 {
                        libc::_exit(0);
                    }
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                }
            }
        })
    };
    let storm = (0..processors() * 4).map(|_| fork()).collect::<Result<Vec<_>>>()?;
    let mut watch = watch()?;
    storm.iter().for_each(Workload::go);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        watch.line()?;
    }
    let of_cpu = || watch.snapshots.iter().filter(|line| line["probe"] == "cpu");
    let ended: u64 = of_cpu().flat_map(rows).filter_map(|row| row["ended_tasks"].as_u64()).sum();
    ensure!(ended > 1000, "{ended} ended");
    let sizes: Vec<u64> = of_cpu().filter_map(|line| line["self"]["rss_bytes"].as_u64()).collect();
    let (before, after) = sizes.split_at(sizes.len() / 2);
    let most = |sizes: &[u64]| sizes.iter().max().copied().unwrap_or(0);
    ensure!(most(after) <= most(before) + 2 * MIB, "{} then {} bytes: {sizes:?}", most(before), most(after));
    is_in_time(&watch, 60)
}

fn rows(line: &Value) -> impl Iterator<Item = &Value> {
    line["running"].as_array().into_iter().flatten()
}
