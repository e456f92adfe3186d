//! What the live screen costs, against lines, and against what people watch a host with.

use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bench;
use super::disk::Disk;
use super::load::Load;
use super::report::{Figure, Promise};
use super::stats::Spread;
use super::user::{cpu_time, resident_mib};
use crate::workspace::which;

const PROCESSES: u32 = 200;
/// Those of a database, that write and sync.
const FILES: usize = 2;
const ROWS: u32 = 60;
const COLUMNS: u32 = 200;
/// Before: names are looked up and buffers grow.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(20);
/// At ten intervals a second, until the minutes that are kept have all their memory.
const FILLING: Duration = Duration::from_secs(120);
/// A window is long; a third of the rounds will do.
const ROUNDS_PER_ROUND: usize = 3;
const KIB: f64 = 1024.0;

/// Percent of one CPU, resident MiB, KiB a second to the terminal.
type Cost = [f64; 3];

struct Variant {
    name: &'static str,
    command: String,
    warm_up: Duration,
}

pub fn figure(bench: &Bench) -> Result<Figure> {
    let ours = |name, args: &str, warm_up| {
        let command = format!("{} {args} --budget 100", bench.stillwatch.display());
        Variant { name, command, warm_up }
    };
    let peer = |name: &'static str| Variant { name, command: name.to_owned(), warm_up: WARM_UP };
    let variants = [
        ours("`stillwatch --plain`", "1 --plain", WARM_UP),
        ours("`stillwatch`", "1", WARM_UP),
        ours("`stillwatch --plain`, ten times a second", "0.1 --plain", FILLING),
        ours("`stillwatch`, ten times a second until its minutes are full", "0.1", FILLING),
        peer("htop"),
        peer("btop"),
        peer("btm"),
    ];
    let disk = Disk::ext4()?;
    let mut rows = vec![Vec::new(); variants.len()];
    for _ in 0..bench.rounds.div_ceil(ROUNDS_PER_ROUND) {
        for (row, variant) in rows.iter_mut().zip(&variants).filter(|(_, variant)| is_installed(variant)) {
            bench.quiet.wait();
            let cost = measure(bench, &disk, variant)?;
            eprintln!("bench:     {}: {cost:.2?}", variant.name);
            row.push(cost);
        }
    }
    Ok(told(&variants, &rows))
}

fn is_installed(variant: &Variant) -> bool {
    variant.command.starts_with('/') || which(&variant.command).is_some()
}

fn told(variants: &[Variant], rows: &[Vec<Cost>]) -> Figure {
    let title = format!(
        "The live screen on a terminal of {COLUMNS} × {ROWS}, beside {PROCESSES} processes that wake twice a second, and \
         {FILES} that write and sync files"
    );
    let mut figure = Figure::new(&title, &["process", "% of one CPU", "RSS, MiB", "to the terminal, KiB/s"]);
    let of = |row: &Vec<Cost>, column: usize| Spread::of(row.iter().map(|cost| cost[column]));
    for (variant, row) in variants.iter().zip(rows) {
        figure.row(variant.name, &[0, 1, 2].map(|column| of(row, column)), 2);
    }
    let more = |screen: usize, plain: usize, column: usize| {
        Spread::of(rows[screen].iter().zip(&rows[plain]).map(|(screen, plain)| screen[column] - plain[column]))
    };
    figure.promise(Promise::at_most("the screen, CPU more than `--plain`", 0.5, "%", more(1, 0, 0)));
    figure.promise(Promise::at_most("the screen, resident memory more than `--plain`", 8.0, "MiB", more(1, 0, 1)));
    // The minutes themselves are bounded to 12.
    figure.promise(Promise::at_most("the same when its minutes are full", 20.0, "MiB", more(3, 2, 1)));
    figure.promise(Promise::at_most("the screen, to the terminal", 3.0, "KiB/s", of(&rows[1], 2)));
    figure
}

fn measure(bench: &Bench, disk: &Disk, variant: &Variant) -> Result<Cost> {
    let _processes = Load::processes(bench, PROCESSES)?;
    let _files = (0..FILES).map(|_| Load::files(bench, disk)).collect::<Result<Vec<_>>>()?;
    let terminal = Terminal::start(&variant.command)?;
    sleep(variant.warm_up);
    let pid = terminal.pid().with_context(|| format!("{} has ended: try it by hand", variant.command))?;
    let (before, bytes, start) = (cpu_time(pid)?, terminal.bytes.load(Relaxed), Instant::now());
    sleep(WINDOW);
    let (used, seconds) = (cpu_time(pid)?.saturating_sub(before), start.elapsed().as_secs_f64());
    let written = terminal.bytes.load(Relaxed) - bytes;
    Ok([100.0 * used.as_secs_f64() / seconds, resident_mib(pid)?, written as f64 / KIB / seconds])
}

/// A pseudo-terminal that somebody reads, with a program in it. `script` ends with what reads it, and the program with its terminal.
struct Terminal {
    script: Child,
    bytes: Arc<AtomicU64>,
}

impl Terminal {
    fn start(command: &str) -> Result<Self> {
        let line = format!("stty rows {ROWS} cols {COLUMNS}; exec {command}");
        let mut script = Command::new("setpriv");
        script.args(["--pdeathsig", "KILL", "script", "--quiet", "--flush", "--command", &line, "/dev/null"]);
        script.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        // It stays open: its end would be typed into the terminal.
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().context("starting script (package bsdutils)")?;
        let bytes = Arc::new(AtomicU64::new(0));
        if let Some(mut out) = script.stdout.take() {
            let bytes = bytes.clone();
            thread::spawn(move || count(&mut out, &bytes));
        }
        Ok(Self { script, bytes })
    }

    /// What runs in it.
    fn pid(&self) -> Option<u32> {
        let pid = self.script.id();
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn count(out: &mut impl Read, bytes: &AtomicU64) {
    let mut buffer = [0; 1 << 14];
    loop {
        match out.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => _ = bytes.fetch_add(read as u64, Relaxed),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
