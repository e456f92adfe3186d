//! More tasks than CPUs, and a cgroup that may not use one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        cpu::{
            quota::Group,
            work::{last_processor, pinned, spin},
        },
        here,
        stillwatch::Watch,
        workload::Workload,
    },
    LATE, is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_cpu_saturated", host).alone(),
    here("findings_cpu_saturated_on_one_processor", one).alone(),
    here("findings_quota", quota).alone(),
];

const LONG: Duration = Duration::from_secs(600);
/// Tasks that want each CPU.
const EACH: usize = 4;

fn spinner() -> Result<Workload> {
    Workload::new(|| [spin(LONG), 0])
}

/// Spinners want CPUs: all of them, or the one that is the subject. Each is in one of the lists.
fn saturated(spinners: Vec<Workload>, subject: &str, lists: &[&str]) -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    spinners.iter().for_each(Workload::go);
    let is_right = |finding: &Value| {
        let is_named = |spinner: &Workload| lists.iter().any(|list| names(finding, list, spinner.pid));
        finding["subject"] == subject && spinners.iter().all(is_named)
    };
    let found = wait_for(&mut watch, "cpu_saturated", is_right)?;
    drop(spinners);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["cpu_saturated"])
}

fn host() -> Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    saturated((0..processors * EACH).map(|_| spinner()).collect::<Result<_>>()?, "", &["culprits"])
}

/// Three on one CPU, while the others have nothing to do.
fn one() -> Result<()> {
    let cpu = last_processor()?;
    let spinners = (0..3).map(|_| pinned(cpu, || [spin(LONG), 0])).collect::<Result<_>>()?;
    saturated(spinners, &cpu.to_string(), &["culprits", "victims"])
}

fn quota() -> Result<()> {
    let group = Group::new()?;
    let spinner = spinner()?;
    std::fs::write(group.dir.join("cgroup.procs"), spinner.pid.to_string())?;
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    spinner.go();
    let name = group.name();
    let is_right = |finding: &Value| finding["subject"] == name.as_str() && names(finding, "victims", spinner.pid);
    let found = wait_for(&mut watch, "quota", is_right)?;
    drop(spinner);
    let fault = start.elapsed();
    is_sound(&found)?;
    // A fifth of one CPU: four fifths of the time are lost.
    let harm = found["harm"].as_f64().context("no harm")?;
    ensure!((0.5..=1.0).contains(&harm), "{found}");
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["quota"])
}
