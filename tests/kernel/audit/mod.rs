//! The ledger against the kernel's own sums, over the same time, under loads whose kind is known (docs/audit.md).
//!
//! `cargo xtask audit` makes all loads and prints a table; a short form of some is among the tests.

mod loads;
mod table;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use self::loads::LOADS;
use super::{Test, here, stillwatch::Watch};

pub const TESTS: &[Test] =
    &[here("findings_audit_of_syncs", || brief("sync")), here("findings_audit_of_a_quota", || brief("quota"))];

const LONG: Duration = Duration::from_secs(12);
const BRIEF: Duration = Duration::from_secs(5);
/// Intervals before the first that counts: cgroups with a quota are found within two seconds.
const SETTLE: usize = 3;
/// What the ledger and the kernel may be apart by, as a part of the kernel's; where either is as much at all.
const APART: f64 = 0.1;
/// In a short time: a wait may be under way at either end of it.
const APART_IN_BRIEF: f64 = 0.2;
/// Seconds per second.
const MUCH: f64 = 0.05;
/// Of the time lost.
const EXPLAINED: f64 = 0.95;

/// Of the snapshots of a run.
type Ours<'a> = Box<dyn Fn(&[Value]) -> u64 + 'a>;
/// Until now.
type Kernels<'a> = Box<dyn Fn() -> Result<u64> + 'a>;

/// The same waits as the tool and as the kernel count them.
struct Comparison<'a> {
    /// The kernel's account.
    what: &'static str,
    ours: Ours<'a>,
    kernels: Kernels<'a>,
    /// For one: nanoseconds, or a count.
    unit: f64,
}

impl<'a> Comparison<'a> {
    /// `is_of`: an entry of the ledger has its `for` and `on`.
    fn of_ledger(
        what: &'static str,
        is_of: impl Fn(&str, &str) -> bool + 'a,
        kernels: impl Fn() -> Result<u64> + 'a,
    ) -> Self {
        let is_of = move |row: &&Value| is_of(text(row, "for"), text(row, "on"));
        let ours = move |snapshots: &[Value]| entries(snapshots).filter(&is_of).map(lost_ns).sum();
        Self { what, ours: Box::new(ours), kernels: Box::new(kernels), unit: 1e9 }
    }
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn entries(snapshots: &[Value]) -> impl Iterator<Item = &Value> {
    snapshots.iter().flat_map(|snapshot| snapshot["ledger"].as_array().into_iter().flatten())
}

fn lost_ns(row: &Value) -> u64 {
    row["lost_ns"].as_u64().unwrap_or(0)
}

/// Per second.
struct Compared {
    what: &'static str,
    ours: f64,
    kernels: f64,
    /// Time, not a count.
    is_time: bool,
}

impl Compared {
    /// As a part of what the kernel has.
    fn apart(&self) -> f64 {
        (self.ours - self.kernels) / self.kernels
    }

    fn agrees(&self, apart: f64) -> bool {
        let is_little = self.is_time && self.ours < MUCH && self.kernels < MUCH;
        is_little || self.apart().abs() <= apart
    }
}

/// What came of one load.
struct Audited {
    load: &'static str,
    /// Seconds per second, by what they are for.
    lost: BTreeMap<String, f64>,
    compared: Vec<Compared>,
    /// Figures of areas that were not clear, of the last interval in which they were not.
    unclear: BTreeMap<String, String>,
}

impl Audited {
    fn lost(&self) -> f64 {
        // The sum of no floats is -0.
        self.lost.values().sum::<f64>() + 0.0
    }

    /// The part whose reason is known; none where next to nothing is lost.
    fn explained(&self) -> Option<f64> {
        let not_known = self.lost.get("not_known").copied().unwrap_or(0.0);
        (self.lost() >= MUCH).then(|| 1.0 - not_known / self.lost())
    }

    /// What misses its target.
    fn missed(&self, apart: f64) -> Vec<String> {
        let unexplained = self.explained().filter(|&explained| explained < EXPLAINED);
        let unexplained = unexplained.map(|explained| format!("{:.0} % explained", 100.0 * explained));
        let apart = self.compared.iter().filter(|compared| !compared.agrees(apart));
        let apart = apart.map(|compared| format!("{} {:+.0} %", compared.what, 100.0 * compared.apart()));
        unexplained.into_iter().chain(apart).collect()
    }
}

/// How long each load is watched.
struct Audit {
    long: Duration,
}

impl Audit {
    /// Begins a load with `go`, and watches it.
    fn watch(&self, load: &'static str, comparisons: &[Comparison], go: impl FnOnce()) -> Result<Audited> {
        let mut watch = Watch::everything(&[])?;
        go();
        for _ in 0..SETTLE {
            interval(&mut watch)?;
        }
        let kernels = || comparisons.iter().map(|comparison| (comparison.kernels)()).collect::<Result<Vec<u64>>>();
        let (start, before) = (Instant::now(), kernels()?);
        let (first, first_finding) = (watch.snapshots.len(), watch.findings.len());
        while start.elapsed() < self.long {
            interval(&mut watch)?;
        }
        let (took, after) = (start.elapsed().as_secs_f64(), kernels()?);
        let snapshots = &watch.snapshots[first..];
        let overviews = snapshots.iter().filter(|snapshot| snapshot["probe"] == "overview");
        let seconds = overviews.filter_map(|snapshot| snapshot["interval_ns"].as_f64()).sum::<f64>() / 1e9;
        let mut lost = BTreeMap::new();
        for row in entries(snapshots) {
            *lost.entry(text(row, "for").to_owned()).or_insert(0.0) += lost_ns(row) as f64 / 1e9 / seconds;
        }
        let compared = comparisons.iter().zip(before.into_iter().zip(after)).map(|(comparison, (before, after))| {
            let Comparison { what, ours, unit, .. } = comparison;
            Compared {
                what,
                ours: ours(snapshots) as f64 / unit / seconds,
                kernels: (after - before) as f64 / unit / took,
                is_time: *unit > 1.0,
            }
        });
        let compared = compared.collect();
        let lines = watch.findings[first_finding..].iter().filter(|line| line["rule"] == "unclear");
        let areas = lines.flat_map(|line| line["areas"].as_array().into_iter().flatten());
        let unclear = areas.map(|area| (text(area, "area").to_owned(), text(area, "because").to_owned())).collect();
        watch.stop()?;
        Ok(Audited { load, lost, compared, unclear })
    }
}

/// Reads on to the end of an interval, of which the ledger is the last line.
fn interval(watch: &mut Watch) -> Result<()> {
    loop {
        let before = watch.snapshots.len();
        watch.line()?;
        if watch.snapshots[before..].iter().any(|snapshot| snapshot["probe"] == "overview") {
            return Ok(());
        }
    }
}

/// All loads, or those that are wanted by name. Fails where a target is missed.
pub fn command(wanted: &[String]) -> ExitCode {
    if let Some(unknown) = wanted.iter().find(|name| LOADS.iter().all(|load| load.name != *name)) {
        let names: Vec<_> = LOADS.iter().map(|load| load.name).collect();
        eprintln!("no load `{unknown}`: there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let audit = Audit { long: LONG };
    let chosen = LOADS.iter().filter(|load| wanted.is_empty() || wanted.iter().any(|name| *name == load.name));
    let mut missed = false;
    print!("{}", table::HEAD);
    for load in chosen {
        match (load.run)(&audit) {
            Ok(audited) => {
                print!("{}", table::row(&audited));
                missed |= !audited.missed(APART).is_empty();
            }
            Err(error) => {
                println!("| {} | {error:#} |", load.name);
                missed |= !super::place::is_skip(&error);
            }
        }
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn brief(name: &str) -> Result<()> {
    for load in LOADS.iter().filter(|load| load.name == name) {
        let audited = (load.run)(&Audit { long: BRIEF })?;
        let missed = audited.missed(APART_IN_BRIEF);
        ensure!(missed.is_empty(), "{missed:?}: {}", table::row(&audited));
    }
    Ok(())
}
