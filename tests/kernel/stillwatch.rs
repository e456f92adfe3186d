//! Runs stillwatch beside a workload and adds up what it printed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::workload::{Report, Workload};

/// Events withheld in the runs of the test that runs now.
pub static WITHHELD: AtomicU64 = AtomicU64::new(0);

/// A running `stillwatch PROBE 0.2 --json …`.
pub struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub snapshots: Vec<Value>,
    pub events: Vec<Value>,
    pub findings: Vec<Value>,
}

impl Watch {
    /// Returns once it is attached.
    pub fn start(flags: &[&str]) -> Result<Self> {
        Self::start_with(flags, &[])
    }

    pub fn start_with(flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::of("syscalls", flags, environment)
    }

    pub fn of(probe: &str, flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::run(stillwatch(), "0.2", probe, flags, environment)
    }

    /// All probes, every second: the overview.
    pub fn everything(flags: &[&str]) -> Result<Self> {
        Self::every("1", "", flags, &[])
    }

    /// With another interval.
    pub fn every(interval: &str, probe: &str, flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::run(stillwatch(), interval, probe, flags, environment)
    }

    /// `command`: the binary, prepared in a way of its own.
    pub fn run(
        mut command: Command,
        interval: &str,
        probe: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let mut child = command
            .args((!probe.is_empty()).then_some(probe))
            .args([interval, "--json"])
            .args(flags)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut watch = Self { child, lines, snapshots: Vec::new(), events: Vec::new(), findings: Vec::new() };
        // The first interval ends after everything is attached.
        watch.next()?;
        Ok(watch)
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits for the next snapshot.
    pub fn next(&mut self) -> Result<&Value> {
        let before = self.snapshots.len();
        while self.snapshots.len() == before {
            self.line()?;
        }
        self.snapshots.last().context("no snapshot")
    }

    /// Waits for the next line, of whatever kind.
    pub fn line(&mut self) -> Result<()> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            anyhow::bail!("stillwatch ended: {}", self.complaints()?);
        }
        self.take(&line)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let value: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let lines = match value["type"].as_str() {
            Some("event") => &mut self.events,
            Some("finding") => &mut self.findings,
            _ => &mut self.snapshots,
        };
        lines.push(value);
        Ok(())
    }

    /// Interrupts it as Ctrl-C does, and takes what it prints last. What it had to say beside that.
    pub fn stop(&mut self) -> Result<String> {
        self.signal(libc::SIGINT);
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "stillwatch ended with {status}");
        for line in rest.lines() {
            self.take(line)?;
        }
        self.complaints()
    }

    fn complaints(&mut self) -> Result<String> {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text)?;
        }
        Ok(text)
    }

    pub fn finish(mut self) -> Result<Seen> {
        self.stop()?;
        Seen::new(std::mem::take(&mut self.snapshots))
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child.
        unsafe { libc::kill(self.pid(), signal) };
    }

    pub fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One call, over a whole run.
#[derive(Debug, Default)]
pub struct Row {
    pub calls: u64,
    pub errors: u64,
    pub interrupted: u64,
    pub untimed: u64,
    pub total_ns: u64,
    pub max_ns: u64,
    pub histogram: BTreeMap<u64, u64>,
    pub commonest_error: Option<String>,
}

impl Row {
    /// Start of the bucket that holds the median.
    pub fn p50_bucket(&self) -> u64 {
        median_bucket(&self.histogram)
    }
}

/// Start of the bucket that holds the median; 0 if there is none.
pub fn median_bucket(histogram: &BTreeMap<u64, u64>) -> u64 {
    let all: u64 = histogram.values().sum();
    let mut seen = 0;
    for (&from, &count) in histogram {
        seen += count;
        if seen * 2 >= all {
            return from;
        }
    }
    0
}

/// Adds a histogram `[[from_ns, count], …]`.
pub fn add_buckets(to: &mut BTreeMap<u64, u64>, histogram: &Value) {
    for bucket in histogram.as_array().into_iter().flatten() {
        *to.entry(bucket[0].as_u64().unwrap_or(0)).or_default() += bucket[1].as_u64().unwrap_or(0);
    }
}

/// What was lost over these snapshots, by cause. Notes what the kernel withheld.
pub fn losses(snapshots: &[Value]) -> BTreeMap<String, u64> {
    let mut lost: BTreeMap<String, u64> = BTreeMap::new();
    for snapshot in snapshots {
        for (cause, count) in snapshot["self"]["lost_by"].as_object().into_iter().flatten() {
            *lost.entry(cause.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
    }
    let withheld = [RUNNING, NOT_SEEN].map(|cause| lost.get(cause).copied().unwrap_or(0));
    WITHHELD.fetch_add(withheld.iter().sum(), Ordering::Relaxed);
    lost
}

/// Events that the kernel did not hand to a program because it was already running on that processor.
pub const RUNNING: &str = "program already running";
/// Waits for memory whose end was among these.
pub const UNENDED: &str = "ends of waits for memory not seen";
/// Requests whose completion the kernel did not show to a program, which the disk's own statistics tell.
const NOT_SEEN: &str = "completed requests not seen";

/// All snapshots of a run, added up.
#[derive(Debug)]
pub struct Seen {
    pub rows: BTreeMap<String, Row>,
    pub before_start: u64,
    pub lost: BTreeMap<String, u64>,
    pub snapshots: Vec<Value>,
}

impl Seen {
    fn new(snapshots: Vec<Value>) -> Result<Self> {
        let lost = losses(&snapshots);
        let mut seen = Self { rows: BTreeMap::new(), before_start: 0, lost, snapshots };
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        for snapshot in &seen.snapshots {
            seen.before_start += number(&snapshot["before_start"]);
            for call in snapshot["syscalls"].as_array().context("no syscalls")? {
                let row = seen.rows.entry(call["syscall"].as_str().context("no name")?.to_owned()).or_default();
                row.calls += number(&call["calls"]) + number(&call["sleeps"]);
                row.errors += number(&call["errors"]);
                row.interrupted += number(&call["interrupted"]);
                row.untimed += number(&call["untimed"]);
                row.total_ns += number(&call["total_ns"]);
                row.max_ns = row.max_ns.max(number(&call["max_ns"]));
                if let Some(name) = call["commonest_error"]["name"].as_str() {
                    row.commonest_error = Some(name.to_owned());
                }
                ensure!(call["histogram"].is_array(), "no histogram");
                add_buckets(&mut row.histogram, &call["histogram"]);
            }
        }
        for (name, row) in &seen.rows {
            let timed: u64 = row.histogram.values().sum();
            ensure!(row.calls == timed + row.untimed, "{name}: calls are not histogram + untimed: {row:?}");
        }
        Ok(seen)
    }

    /// Events that the kernel did not hand to a program because it was already running on that processor.
    pub fn withheld(&self) -> u64 {
        self.lost.get(RUNNING).copied().unwrap_or(0)
    }

    pub fn row(&self, name: &str) -> Result<&Row> {
        self.rows.get(name).with_context(|| format!("no {name} among {:?}", self.rows.keys()))
    }

    pub fn calls(&self, name: &str) -> u64 {
        self.rows.get(name).map_or(0, |row| row.calls)
    }

    /// Rows of a table over all snapshots (`slow`, `by`, `in_flight`).
    pub fn table(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.snapshots.iter().flat_map(move |snapshot| snapshot[name].as_array().into_iter().flatten())
    }
}

/// The whole of a simple test: watch one workload with these flags, let it work, let it end.
pub fn watch(flags: &[&str], work: impl FnOnce() -> Report) -> Result<(Seen, Report)> {
    let workload = Workload::new(work)?;
    let pid = workload.pid.to_string();
    let mut watch = Watch::start(&[&["-p", &pid], flags].concat())?;
    workload.go();
    let report = workload.report()?;
    watch.next()?;
    Ok((watch.finish()?, report))
}
