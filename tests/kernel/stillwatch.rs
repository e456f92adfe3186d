//! Runs stillwatch beside a workload and adds up what it printed.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver},
    },
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::{schema, stillwatch};

use super::workload::{Report, Workload, rename};

/// A running `stillwatch PROBE 0.2 --json …`.
pub struct Watch {
    running: Option<Running>,
    /// The probe, of one that goes on after this test.
    shared: Option<&'static str>,
    pub snapshots: Vec<Value>,
    pub events: Vec<Value>,
    pub findings: Vec<Value>,
}

struct Running {
    child: Child,
    /// What it prints, read as it comes: it never waits for us.
    lines: Receiver<String>,
}

/// What a process calls itself whose system calls are to be counted by one that others share.
pub const COUNTED: &CStr = c"counted";

/// The one that tests without flags of their own use in turn, and its probe: attaching takes seconds in an emulated machine.
static SHARED: Mutex<Option<(&'static str, Running)>> = Mutex::new(None);

fn shared() -> MutexGuard<'static, Option<(&'static str, Running)>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends it: the next test has one of its own.
pub fn forget_shared() {
    *shared() = None;
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

    /// Without flags of its own: attached already, for a test before this one, unless there was none. What it saw until now is left
    /// out. Of `syscalls`, which counts everybody's, only those of processes called [`COUNTED`].
    pub fn shared(probe: &'static str) -> Result<Self> {
        let running = shared().take().filter(|&(of, _)| of == probe).map(|(_, running)| running);
        let comm = COUNTED.to_string_lossy();
        let flags = if probe == "syscalls" { &["--comm", &comm][..] } else { &[] };
        let mut watch = match running {
            Some(running) => Self::of_running(running),
            None => Self::of(probe, flags, &[])?,
        };
        watch.shared = Some(probe);
        watch.catch_up()?;
        (watch.snapshots, watch.events) = (Vec::new(), Vec::new());
        Ok(watch)
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
        // Two at a time would see each other's work.
        forget_shared();
        // What is counted here is often a storm: only tests of the budget have one.
        let budget: &[&str] = if flags.contains(&"--budget") { &[] } else { &["--budget", "100"] };
        let mut child = command
            .args((!probe.is_empty()).then_some(probe))
            .args([interval, "--json"])
            .args(flags)
            .args(budget)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while stdout.read_line(&mut line).is_ok_and(|bytes| bytes > 0)
                && sender.send(std::mem::take(&mut line)).is_ok()
            {}
        });
        let mut watch = Self::of_running(Running { child, lines });
        // The first interval ends after everything is attached.
        watch.next()?;
        Ok(watch)
    }

    fn of_running(running: Running) -> Self {
        let running = Some(running);
        Self { running, shared: None, snapshots: Vec::new(), events: Vec::new(), findings: Vec::new() }
    }

    pub fn pid(&self) -> i32 {
        self.running.as_ref().map_or(0, |running| running.child.id() as i32)
    }

    /// Takes what is there, and waits for the next snapshot.
    pub fn next(&mut self) -> Result<&Value> {
        while let Ok(line) = self.running()?.lines.try_recv() {
            self.take(&line)?;
        }
        let before = self.snapshots.len();
        while self.snapshots.len() == before {
            self.line()?;
        }
        self.snapshots.last().context("no snapshot")
    }

    /// Waits for the next line, of whatever kind.
    pub fn line(&mut self) -> Result<()> {
        match self.running()?.lines.recv() {
            Ok(line) => self.take(&line),
            Err(_) => anyhow::bail!("stillwatch ended: {}", self.complaints()?),
        }
    }

    fn running(&mut self) -> Result<&mut Running> {
        self.running.as_mut().context("it has been stopped")
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let value: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        schema::validate(&value)?;
        let lines = match value["type"].as_str() {
            Some("event") => &mut self.events,
            Some("finding") => &mut self.findings,
            _ => &mut self.snapshots,
        };
        lines.push(value);
        Ok(())
    }

    /// Takes all that has happened until now: what is there, the interval whose sample may be under way, and the next.
    fn catch_up(&mut self) -> Result<()> {
        self.next()?;
        self.next()?;
        Ok(())
    }

    /// Interrupts it as Ctrl-C does, and takes what it prints last; one that goes on for other tests is only waited for. What it had
    /// to say beside that.
    pub fn stop(&mut self) -> Result<String> {
        if self.shared.is_some() {
            self.catch_up()?;
            return Ok(String::new());
        }
        self.signal(libc::SIGINT);
        while let Ok(line) = self.running()?.lines.recv() {
            self.take(&line)?;
        }
        let status = self.running()?.child.wait()?;
        ensure!(status.success(), "stillwatch ended with {status}");
        self.complaints()
    }

    fn complaints(&mut self) -> Result<String> {
        let mut text = String::new();
        if let Some(stderr) = &mut self.running()?.child.stderr {
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
        self.running()?.child.wait()?;
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let (Some(probe), Some(running)) = (self.shared, self.running.take()) {
            *shared() = Some((probe, running));
        }
    }
}

impl Drop for Running {
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

/// Names and stacks that a machine under load was too slow for: no count is less true for it.
const LATE: &str = "reads that did not end in time";

/// What was lost over these snapshots, by cause.
pub fn losses(snapshots: &[Value]) -> BTreeMap<String, u64> {
    let mut lost: BTreeMap<String, u64> = BTreeMap::new();
    for snapshot in snapshots {
        for (cause, count) in snapshot["self"]["lost_by"].as_object().into_iter().flatten() {
            *lost.entry(cause.clone()).or_default() += count.as_u64().unwrap_or(0);
        }
    }
    lost.remove(LATE);
    lost
}

/// Events that the kernel kept from our programs, and that are said to be lost: newer kernels let a program be preempted, and withhold
/// events from it until it goes on; now and then they don't show it that a request is complete. A count is short by so many at most.
pub fn missed(lost: &BTreeMap<String, u64>) -> u64 {
    [RUNNING, NOT_SEEN].iter().filter_map(|&cause| lost.get(cause)).sum()
}

/// Whether so many were seen, of those that were made: all, where nothing was missed.
pub fn is_count(seen: u64, made: u64, missed: u64) -> bool {
    seen <= made && seen + missed >= made
}

/// Events that the kernel did not hand to a program because it was already running on that CPU.
pub const RUNNING: &str = "missed (program busy)";
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

    pub fn missed(&self) -> u64 {
        missed(&self.lost)
    }

    /// Nothing is lost but what the kernel missed.
    pub fn nothing_else_is_lost(&self) -> Result<()> {
        ensure!(self.lost.values().sum::<u64>() == self.missed(), "{:?}", self.lost);
        Ok(())
    }

    /// The row of a call that was made so many times.
    pub fn made(&self, name: &str, made: u64) -> Result<&Row> {
        let row = self.row(name)?;
        ensure!(is_count(row.calls, made, self.missed()), "{name}, {made} made: {row:?}, lost {:?}", self.lost);
        Ok(row)
    }

    /// The same, each of them with its time.
    pub fn timed(&self, name: &str, made: u64) -> Result<&Row> {
        let row = self.made(name, made)?;
        ensure!(row.untimed <= self.missed(), "{name}: {row:?}, lost {:?}", self.lost);
        Ok(row)
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
    let workload = Workload::new(|| {
        rename(COUNTED);
        work()
    })?;
    let pid = workload.pid.to_string();
    let mut watch = match flags {
        [] => Watch::shared("syscalls")?,
        _ => Watch::start(&[&["-p", &pid], flags].concat())?,
    };
    workload.go();
    let report = workload.report()?;
    watch.next()?;
    Ok((watch.finish()?, report))
}
