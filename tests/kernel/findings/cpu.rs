//! More tasks than CPUs, and a cgroup that may not use one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test,
        cpu::{
            quota::Group,
            work::{become_urgent, last_processor, pinned, spin},
        },
        here, skip,
        stillwatch::Watch,
        workload::Workload,
    },
    LATE, is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_cpu_saturated", host).alone(),
    here("findings_cpu_saturated_on_one_processor", one).alone(),
    here("findings_cpu_saturated_names_who_is_real_time", real_time).alone(),
    here("findings_cpu_saturated_is_not_of_the_idle_class", idle_class).alone(),
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

/// A real-time task on one CPU, whose victims can't move; the others are nearly busy.
fn real_time() -> Result<()> {
    let cpu = last_processor()?;
    let urgent = pinned(cpu, || if become_urgent() { [spin(LONG), 0] } else { [0; 2] })?;
    let victims = [pinned(cpu, || [spin(LONG), 0])?, pinned(cpu, || [spin(LONG), 0])?];
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    victims.iter().for_each(Workload::go);
    urgent.go();
    watch.next()?;
    if urgent.has_reported() {
        return Err(skip("no real-time tasks here"));
    }
    let is_right = |finding: &Value| {
        let is_said = finding["statement"].as_str().is_some_and(|text| text.contains("(fifo 10)"));
        let are_victims = victims.iter().all(|victim| names(finding, "victims", victim.pid));
        is_said && are_victims && names(finding, "culprits", urgent.pid)
    };
    let found = wait_for(&mut watch, "cpu_saturated", is_right)?;
    drop(urgent);
    drop(victims);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["cpu_saturated"])
}

/// Work that is to have only what others leave over, beside a task on each CPU that always gets it.
fn idle_class() -> Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    let idle = |cpu| {
        pinned(cpu, || {
            let priority = libc::sched_param { sched_priority: 0 };
            // SAFETY: the structure lives here.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &priority) };
            [spin(LONG), 0]
        })
    };
    let last = last_processor()?;
    let busy = [pinned(0, || [spin(LONG), 0])?, pinned(last, || [spin(LONG), 0])?];
    let idle = (0..processors * EACH).map(|at| idle([0, last][at % 2])).collect::<Result<Vec<_>>>()?;
    let mut watch = Watch::everything(&[])?;
    busy.iter().chain(&idle).for_each(Workload::go);
    for _ in 0..6 {
        watch.next()?;
    }
    watch.stop()?;
    only(&watch, &[])
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
