//! What the process in user space costs on a busy host.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::observer::Observer;
use super::programs::tell;
use super::report::{Figure, Promise};
use super::stats::Spread;

const THREADS: u32 = 200;
/// Processes that write, sync and read files all the time.
const FILES: usize = 8;
/// Places among the variants.
const EXACT: usize = 0;
const IO: usize = 3;
const OOM: usize = 5;
const DISK: usize = 6;
const CHANGES: usize = 7;
const LOG: usize = 8;
/// Before: names are looked up and buffers grow.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);
/// A window is long; a third of the rounds will do.
const ROUNDS_PER_ROUND: usize = 3;

pub fn figure(bench: &Bench) -> Result<Figure> {
    let variants = [
        Observer::stillwatch(bench, "syscalls 1"),
        Observer::stillwatch(bench, "syscalls 1 --blocked"),
        Observer::stillwatch(bench, "syscalls 1 --by process"),
        Observer::stillwatch(bench, "io 1"),
        Observer::stillwatch(bench, "io 1 --syscalls --blame"),
        Observer::stillwatch(bench, "oom 1"),
        Observer::stillwatch(bench, "disk 1"),
        Observer::stillwatch(bench, "changes 1"),
        Observer::stillwatch(bench, "log 1"),
        Observer::peer("syscount -L -i 1"),
        Observer::peer("biolatency 1"),
        Observer::stillwatch(bench, "1").called("the overview"),
    ];
    let disk = Disk::ext4()?;
    let mut rows = vec![(Vec::new(), Vec::new()); variants.len()];
    for _ in 0..bench.rounds.div_ceil(ROUNDS_PER_ROUND) {
        for (row, variant) in rows.iter_mut().zip(&variants).filter(|(_, variant)| variant.is_installed()) {
            bench.quiet.wait();
            let (percent, mib) = measure(bench, &disk, variant)?;
            tell(variant, &[percent, mib]);
            row.0.push(percent);
            row.1.push(mib);
        }
    }

    let title = format!(
        "User side at 1 s intervals, {THREADS} threads making 60 different calls without a pause, {FILES} processes writing, \
         syncing and reading files"
    );
    let mut figure = Figure::new(&title, &["process", "% of one CPU", "RSS, MiB"]);
    let spread = |figures: &Vec<f64>| Spread::of(figures.iter().copied());
    for (variant, (percent, mib)) in variants.iter().zip(&rows) {
        figure.row(&variant.name, &[spread(percent), spread(mib)], 2);
    }
    for (what, at, memory) in [
        ("exact mode", EXACT, 16.0),
        ("`io`", IO, 20.0),
        ("`oom`", OOM, 24.0),
        ("`disk`", DISK, 16.0),
        ("`changes`", CHANGES, 24.0),
        ("`log`", LOG, 20.0),
    ] {
        let (percent, mib) = &rows[at];
        figure.promise(Promise::at_most(&format!("{what}, CPU in user space"), 0.3, "%", spread(percent)));
        figure.promise(Promise::at_most(&format!("{what}, resident memory"), memory, "MiB", spread(mib)));
    }
    Ok(figure)
}

/// Percent of one CPU, and resident MiB.
fn measure(bench: &Bench, disk: &Disk, variant: &Observer) -> Result<(f64, f64)> {
    let _busy = Load::busy(bench, THREADS)?;
    let _files = (0..FILES).map(|_| Load::files(bench, disk)).collect::<Result<Vec<_>>>()?;
    let attached = variant.attach_anywhere()?;
    sleep(WARM_UP);
    let (before, start) = (cpu_time(attached.pid())?, Instant::now());
    sleep(WINDOW);
    let used = cpu_time(attached.pid())?.saturating_sub(before);
    let percent = 100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64();
    Ok((percent, resident_mib(attached.pid())?))
}

/// User and system time of all threads, those that have ended, too: the sum that `/proc/PID/stat` shows in ticks, in nanoseconds.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: the kernel fills what it is given.
    let is_there = unsafe {
        libc::clock_getcpuclockid(pid.cast_signed(), &mut clock) == 0 && libc::clock_gettime(clock, &mut time) == 0
    };
    ensure!(is_there, "the observer has ended");
    Ok(Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned() as u32))
}

pub fn resident_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmRSS")?.parse::<f64>()? / 1024.0)
}
