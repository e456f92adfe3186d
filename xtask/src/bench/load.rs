//! The loads: `bench-load`, which says itself how long a round took, and `perf bench sched pipe`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

use super::Bench;
use super::disk::Disk;
use crate::workspace::read;

/// A load that waits for its start.
pub struct Load {
    child: Child,
    answers: BufReader<ChildStdout>,
    /// By kernel threads.
    helped: bool,
}

impl Load {
    /// `mode` is one of `bench-load`'s: `calls` or `pairs`.
    pub fn ready(bench: &Bench, mode: &str, count: u64) -> Result<Self> {
        let args = [mode, &bench.cpus.load.to_string(), &count.to_string()];
        Self::start(&bench.load, &args)
    }

    /// The same for `echo`, `echo-tail`, `connects` and `lossy`, which the kernel helps along in interrupts.
    pub fn network(bench: &Bench, mode: &str, count: u64) -> Result<Self> {
        let mut load = Self::ready(bench, mode, count)?;
        load.helped = true;
        Ok(load)
    }

    /// The same for `reads` and `writes`.
    pub fn on(disk: &Disk, bench: &Bench, mode: &str, count: u64) -> Result<Self> {
        let args = [mode, &bench.cpus.load.to_string(), &count.to_string(), &disk.device];
        let mut load = Self::start(&bench.load, &args)?;
        load.helped = true;
        Ok(load)
    }

    /// Many threads with many different calls, running until dropped.
    pub fn busy(bench: &Bench, threads: u32) -> Result<Self> {
        Self::start(&bench.load, &["busy", &threads.to_string()])
    }

    /// Many processes that wake twice a second, until dropped.
    pub fn processes(bench: &Bench, count: u32) -> Result<Self> {
        Self::start(&bench.load, &["processes", &count.to_string()])
    }

    /// A file that is written, synced and read, until dropped.
    pub fn files(bench: &Bench, disk: &Disk) -> Result<Self> {
        Self::start(&bench.load, &["files", &disk.device])
    }

    fn start(program: &Path, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let output = child.stdout.take().context("the load has no standard output")?;
        Ok(Self { child, answers: BufReader::new(output), helped: false })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Nanoseconds per round: of runs that nothing else disturbed.
    pub fn run(&mut self, bench: &Bench) -> Result<f64> {
        self.once()?;
        bench.quiet.typical(&bench.cpus, self.helped, || self.once())
    }

    /// What a single run answers.
    pub fn once(&mut self) -> Result<f64> {
        self.child.stdin.as_mut().context("the load has no standard input")?.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        line.trim().parse().context("the load failed")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Some 50 ms.
const LOOPS: u32 = 10_000;

/// Nanoseconds per context switch on one CPU, in the same way.
pub fn sched_pipe(bench: &Bench) -> Result<f64> {
    bench.quiet.typical(&bench.cpus, false, || {
        let output = read(Command::new("taskset").args(["--cpu-list", &bench.cpus.load.to_string()]).args([
            "perf",
            "bench",
            "sched",
            "pipe",
            "--loop",
            &LOOPS.to_string(),
        ]))?;
        let usecs = output.lines().find_map(|line| line.trim().strip_suffix("usecs/op")?.trim().parse::<f64>().ok());
        // An operation is there and back again.
        Ok(usecs.context("perf bench prints no usecs/op")? * 1000.0 / 2.0)
    })
}
