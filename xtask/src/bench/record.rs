//! What it costs to keep what is seen, on a host where many processes do something in every interval.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::observer::Observer;
use super::programs::tell;
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::user::{cpu_time, resident_mib};
use crate::workspace::{read, target_dir};

const PROCESSES: u32 = 200;
/// Those of a database, that write and sync.
const FILES: usize = 2;
/// Before: names are looked up and buffers grow.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);
/// A window is long; a third of the rounds will do.
const ROUNDS_PER_ROUND: usize = 3;
const MIB: f64 = 1024.0 * 1024.0;

/// Percent of one CPU, resident MiB; of a recording MiB an hour and rows an interval, calls of `write` a minute, and requests of disks a minute.
type Cost = [f64; 6];

pub fn figure(bench: &Bench) -> Result<Figure> {
    let tmp = target_dir()?.join("tmp");
    fs::create_dir_all(&tmp)?;
    let folder = tmp.join(format!("bench-record-{}", std::process::id()));
    let record = Observer::stillwatch(bench, &format!("record {} 1", folder.display()));
    let variants = [Observer::stillwatch(bench, "1").called("the overview"), record.called("`stillwatch record`")];
    let disk = Disk::ext4()?;
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds.div_ceil(ROUNDS_PER_ROUND) {
        let mut round = [Cost::default(); 2];
        for (cost, variant) in round.iter_mut().zip(&variants) {
            bench.quiet.wait();
            *cost = measure(bench, &disk, variant, &folder)?;
            tell(variant, cost);
        }
        rounds.push(round);
    }

    let title = format!(
        "Recording at 1 s intervals, beside {PROCESSES} processes that wake twice a second, and {FILES} that write and sync files"
    );
    let columns = [
        "process",
        "% of one CPU",
        "RSS, MiB",
        "recorded, MiB an hour",
        "rows an interval",
        "writes a minute",
        "its disk requests a minute",
    ];
    let mut figure = Figure::new(&title, &columns);
    for (at, variant) in variants.iter().enumerate() {
        let of = |column: usize| Spread::of(rounds.iter().map(|round| round[at][column]));
        figure.row(&variant.name, &[of(0), of(1), of(2), of(3), of(4), of(5)], 2);
    }
    let more = |column: usize| Spread::of(rounds.iter().map(|[overview, record]| record[column] - overview[column]));
    figure.promise(Promise::at_most("`record`, CPU more than the overview", 0.3, "%", more(0)));
    figure.promise(Promise::at_most("`record`, resident memory more than the overview", 6.0, "MiB", more(1)));
    Ok(figure)
}

fn measure(bench: &Bench, disk: &Disk, variant: &Observer, folder: &Path) -> Result<Cost> {
    let _processes = Load::processes(bench, PROCESSES)?;
    let _files = (0..FILES).map(|_| Load::files(bench, disk)).collect::<Result<Vec<_>>>()?;
    let attached = variant.attach_anywhere()?;
    sleep(WARM_UP);
    let pid = attached.pid();
    let (before, bytes, calls, start) = (cpu_time(pid)?, size(folder), writes(pid)?, Instant::now());
    sleep(WINDOW);
    let (used, seconds) = (cpu_time(pid)?.saturating_sub(before), start.elapsed().as_secs_f64());
    let written = size(folder).saturating_sub(bytes);
    let calls = writes(pid)? - calls;
    let mib = resident_mib(pid)?;
    drop(attached);
    let [rows, requests] = if folder.exists() { rows(bench, folder, pid)? } else { [0.0; 2] };
    let _ = fs::remove_dir_all(folder);
    let hours = seconds / 3600.0;
    let percent = 100.0 * used.as_secs_f64() / seconds;
    // Intervals are of a second.
    Ok([percent, mib, written as f64 / MIB / hours, rows, calls as f64 / seconds * 60.0, requests * 60.0])
}

/// Bytes of its segments; 0 where nothing is recorded.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
}

/// Of the thread that writes; 0 where nothing is recorded.
fn writes(pid: u32) -> Result<u64> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == "recorder" {
            let io = fs::read_to_string(task.join("io"))?;
            let calls = io.lines().find_map(|line| line.strip_prefix("syscw: "));
            return Ok(calls.context("no syscw")?.parse()?);
        }
    }
    Ok(0)
}

/// Of all tables, and requests of disks because of the process that records, both per interval.
fn rows(bench: &Bench, folder: &Path, pid: u32) -> Result<[f64; 2]> {
    let lines = read(Command::new(&bench.stillwatch).arg("export").arg(folder))?;
    let (mut intervals, mut requests) = (0_usize, 0);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        intervals += usize::from(line["table"] == "overview.intervals");
        if line["table"] == "io.caused_by" && line["pid"] == pid {
            requests += line["ios"].as_u64().unwrap_or(0);
        }
    }
    Ok([lines.lines().count() as f64, requests as f64].map(|sum| sum / intervals.max(1) as f64))
}
