//! Waits as libbpf-tools' `runqlat` sees them, which notes every wake-up: at the same time, of the same tasks.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use stillwatch_common::hist;

use super::{
    super::{
        Test, here, skip,
        stillwatch::{Watch, add_buckets},
        tcp::net::Net,
        workload::{Workload, monotonic_ns, sleep},
    },
    is_sound, watch,
    work::{flood, last_processor, pinned, spin},
};

pub const TESTS: &[Test] = &[
    here("cpu_agrees_with_runqlat_of_slices", slices).alone(),
    here("cpu_agrees_with_runqlat_of_softirqs", softirqs).alone(),
];

const TIME: Duration = Duration::from_secs(6);
/// Waits may differ by so much.
const APART: f64 = 0.1;
/// And by so many of all: those at the start and the end.
const FEW: f64 = 0.005;
/// `runqlat`'s buckets are powers of two microseconds: 32 µs.
const FROM: u32 = 5;

/// Waits by the power of two microseconds below.
type Octaves = BTreeMap<u32, f64>;

struct Runqlat(Child);

impl Runqlat {
    /// Returns once it is attached.
    fn start() -> Result<Self> {
        // `sbin` is not on everybody's path.
        let places = ["/usr/sbin/runqlat", "/usr/bin/runqlat"];
        let program = places.into_iter().find(|place| Path::new(place).exists());
        let program = program.ok_or_else(|| skip("no runqlat of libbpf-tools to compare with"))?;
        let child = Command::new(program).args(["1000", "1"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let runqlat = Self(child);
        let until = Instant::now() + Duration::from_secs(20);
        while runqlat.programs()? < 3 {
            ensure!(Instant::now() < until, "runqlat does not attach");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(runqlat)
    }

    /// Those that it has attached: one for a wake-up, one for a new task's, one for a switch.
    fn programs(&self) -> Result<usize> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.0.id())).context("runqlat has ended")?;
        let targets = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        let is_link = |target: &PathBuf| target.to_string_lossy().replace('_', "-").contains("bpf-link");
        Ok(targets.filter(is_link).count())
    }

    /// Interrupts it. Lines as `16 -> 31 : 22 |*****|`.
    fn stop(mut self) -> Result<Octaves> {
        // SAFETY: our own child.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGINT) };
        let mut text = String::new();
        self.0.stdout.take().context("no stdout")?.read_to_string(&mut text)?;
        self.0.wait()?;
        let line = |line: &str| -> Option<(u32, f64)> {
            let (from, rest) = line.split_once("->")?;
            let count = rest.split(':').nth(1)?.split_whitespace().next()?;
            Some((from.trim().parse::<u64>().ok()?.checked_ilog2()?, count.parse().ok()?))
        };
        Ok(text.lines().filter_map(line).filter(|&(octave, _)| octave >= FROM).collect())
    }
}

impl Drop for Runqlat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ours, of the same length: `(from, to, count)` in microseconds.
fn ours(watch: &Watch, since: usize) -> Vec<(f64, f64, f64)> {
    let mut histogram = BTreeMap::new();
    watch.snapshots[since..]
        .iter()
        .for_each(|snapshot| add_buckets(&mut histogram, &snapshot["run_queue"]["histogram"]));
    let bucket = |(from, count)| {
        let to = hist::upto(hist::bucket(from)) + 1;
        let [from, to] = [from, to].map(|ns| ns as f64 / 1000.0);
        (from, to, count as f64)
    };
    histogram.into_iter().map(bucket).collect()
}

/// How many waits are longer.
fn beyond(buckets: &[(f64, f64, f64)], bound: f64) -> f64 {
    let outside = |&(from, to, count): &(f64, f64, f64)| count * ((to - bound) / (to - from)).clamp(0.0, 1.0);
    buckets.iter().map(outside).sum()
}

/// Both see the same load from its first to its last moment.
fn agree(workloads: Vec<Workload>) -> Result<()> {
    let mut watch = watch(&[])?;
    let runqlat = Runqlat::start()?;
    watch.next()?;
    let since = watch.snapshots.len();
    workloads.iter().for_each(Workload::go);
    thread::sleep(TIME);
    drop(workloads);
    let theirs = runqlat.stop()?;
    watch.next()?;
    watch.stop()?;
    is_sound(&watch)?;
    let ours = ours(&watch, since);
    let all: f64 = theirs.values().sum();
    ensure!(all >= 1000.0, "runqlat has seen {all} waits");
    let few = FEW * all;
    let mut longer = 0.0;
    // From the longest on. The ends of its buckets are all that it says; there is nothing to interpolate.
    for (&octave, count) in theirs.iter().rev() {
        longer += count;
        let bound = f64::from(1u32 << octave);
        let [most, least] = [bound / (1.0 + APART), bound * (1.0 + APART)].map(|bound| beyond(&ours, bound));
        let agree = (least - few..=most + few).contains(&longer);
        ensure!(agree, "{longer} waits beyond {bound} us, here {least:.0} to {most:.0}: {theirs:?}");
    }
    Ok(())
}

/// Less than a millisecond, another time at each call.
fn some(random: &mut u64) -> Duration {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_micros((*random >> 33) % 1000)
}

/// Twice as many tasks as CPUs, which compute and sleep for times of their own.
fn slices() -> Result<()> {
    let tasks = 2 * thread::available_parallelism()?.get() as u64;
    let work = |mut random: u64| {
        move || loop {
            spin(some(&mut random));
            sleep(some(&mut random));
        }
    };
    agree((0..tasks).map(|at| Workload::new(work(at))).collect::<Result<_>>()?)
}

/// Tasks that wake on a CPU which receives what it sends, and switches when it is done with that.
fn softirqs() -> Result<()> {
    let cpu = last_processor()?;
    let net = Net::new()?;
    let flooder = pinned(cpu, || {
        if net.enter().is_ok() {
            flood();
        }
        [0; 2]
    })?;
    let sleeper = || {
        pinned(cpu, || {
            let start = monotonic_ns();
            while monotonic_ns() - start < 2 * TIME.as_nanos() as u64 {
                sleep(Duration::from_micros(300));
            }
            [0; 2]
        })
    };
    agree(vec![flooder, sleeper()?, sleeper()?])
}
