//! The machine: where the load runs, whether it is idle, what to say about it.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Bench;
use crate::workspace::read;

/// The load has a CPU to itself; whoever observes, runs on another one if there is one.
pub struct Cpus {
    pub observer: usize,
    pub load: usize,
}

impl Cpus {
    pub fn read() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let list = list.context("no Cpus_allowed_list in /proc/self/status")?.trim();
        let mut numbers = list.split(['-', ',']).map(str::parse);
        let observer = numbers.next().context("no CPU is allowed")??;
        let load = numbers.next_back().transpose()?.unwrap_or(observer);
        Ok(Self { observer, load })
    }
}

/// Share of the CPUs that may be busy with something else.
const IDLE: f64 = 0.05;
const LOOK: Duration = Duration::from_millis(300);
/// For waiting and doing again, per figure: on a host that is never idle the bench must still end, and say so.
const PATIENCE: Duration = Duration::from_secs(300);

/// Undisturbed runs that make a figure.
const RUNS: usize = 11;
/// After a disturbed one.
const PAUSE: Duration = Duration::from_millis(100);
/// What the CPUs without load may do during a run, in clock ticks: they have an observer and the kernel's own to run.
const TICKS: u64 = 1;

/// Waits for an idle host, sorts out disturbed runs, and counts how often that was in vain.
#[derive(Default)]
pub struct Quiet {
    lost: Cell<Duration>,
    /// Since the last [`Quiet::note`].
    disturbed: Cell<bool>,
    figures: Cell<usize>,
    doubtful: Cell<usize>,
}

impl Quiet {
    /// A figure begins.
    pub fn renew(&self) {
        self.lost.set(Duration::ZERO);
    }

    /// Until all CPUs are idle, or patience ends.
    pub fn wait(&self) {
        loop {
            let before = times(|_| true);
            sleep(LOOK);
            let Times { user, kernel, all } = times(|_| true).since(before);
            if (user + kernel) as f64 <= IDLE * all as f64 || !self.is_patient() {
                return;
            }
            self.lose(LOOK);
        }
    }

    /// Whether there is time to do something again.
    pub fn is_patient(&self) -> bool {
        self.lost.get() < PATIENCE
    }

    /// That much time went by for nothing.
    pub fn lose(&self, time: Duration) {
        self.lost.set(self.lost.get() + time);
    }

    /// A figure is kept; its baselines were `steady`.
    pub fn note(&self, steady: bool) {
        self.figures.set(self.figures.get() + 1);
        if self.disturbed.take() || !steady {
            self.doubtful.set(self.doubtful.get() + 1);
        }
    }

    /// The lower quartile of runs during which only the load's CPU was busy: what disturbs a run makes it longer,
    /// never shorter. A run should be short, so that there are quiet ones between other people's doings.
    /// A `helped` load has kernel threads at work on other CPUs: there, only what programs do is a disturbance.
    pub fn typical(&self, cpus: &Cpus, helped: bool, mut run: impl FnMut() -> Result<f64>) -> Result<f64> {
        let (mut clean, mut all) = (Vec::new(), Vec::new());
        while all.len() < RUNS || (clean.len() < RUNS && self.is_patient()) {
            let start = Instant::now();
            let others = |cpu: usize| cpu != cpus.load;
            let before = times(others);
            let figure = run()?;
            let Times { user, kernel, .. } = times(others).since(before);
            if user + if helped { 0 } else { kernel } <= TICKS {
                clean.push(figure);
            } else {
                sleep(PAUSE);
                self.lose(start.elapsed());
            }
            all.push(figure);
        }
        if clean.len() < RUNS {
            self.disturbed.set(true);
            clean = all;
        }
        clean.sort_by(f64::total_cmp);
        clean.get(clean.len() / 4).copied().context("nothing was run")
    }
}

/// Clock ticks.
#[derive(Clone, Copy, Default)]
struct Times {
    user: u64,
    kernel: u64,
    all: u64,
}

impl Times {
    fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            kernel: self.kernel.saturating_sub(before.kernel),
            all: self.all.saturating_sub(before.all),
        }
    }
}

/// Of the CPUs that are `counted`. Time that a hypervisor took away counts as other programs'.
fn times(counted: impl Fn(usize) -> bool) -> Times {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut sum = Times::default();
    for line in text.lines() {
        let Some((cpu, ticks)) = line.strip_prefix("cpu").and_then(|line| line.split_once(' ')) else { continue };
        let ticks: Vec<u64> = ticks.split_whitespace().flat_map(str::parse).collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks[..] else { continue };
        // The first line, without a number, is the sum of all.
        if cpu.parse().is_ok_and(&counted) {
            sum.user += user + nice + steal;
            sum.kernel += system + irq + softirq;
            sum.all += user + nice + steal + system + irq + softirq + idle + iowait;
        }
    }
    sum
}

/// One line about where and how this was measured.
pub fn conditions(bench: &Bench) -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = text("/proc/cpuinfo");
    let models = || cpuinfo.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models().next().map_or("", |(_, name)| name);
    let machine = if cpuinfo.contains(" hypervisor") { "a virtual machine" } else { "a machine" };
    let release = text("/proc/sys/kernel/osrelease");
    let version: String = release.trim().split('-').next().unwrap_or_default().to_owned();
    let date = read(Command::new("date").args(["-u", "+%F"])).unwrap_or_default();
    let mut line = format!(
        "Measured {} on Linux {version}, {machine} with {} × {model}; {} rounds.",
        date.trim(),
        models().count(),
        bench.rounds
    );
    let (figures, doubtful) = (bench.quiet.figures.get(), bench.quiet.doubtful.get());
    if doubtful > 0 {
        line += &format!(" During {doubtful} of {figures} measurements the host was not quiet.");
    }
    line
}
