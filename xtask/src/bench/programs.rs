//! The kernel's own account of how long programs run, where what they add to a load drowns in the noise of the machine.
//!
//! It leaves out the way into a program and back, some 20 ns each, and adds what reading the clock twice costs: to ours and to
//! those of others alike.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Bench;
use super::observer::{Attached, Observer};
use super::stats::Spread;
use crate::workspace::read;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// The kernel keeps account until this is dropped.
struct Account {
    before: String,
}

impl Account {
    fn open() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).context("this kernel keeps no account of programs")?;
        fs::write(SWITCH, "1").with_context(|| format!("writing {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // As it was; nothing else can be done about a failure.
        let _ = fs::write(SWITCH, &self.before);
    }
}

/// What one program came to since it was loaded.
struct Runs {
    name: String,
    ns: f64,
    count: f64,
}

/// Of the programs that a process holds.
fn programs(pid: u32) -> Result<Vec<Runs>> {
    let directory = format!("/proc/{pid}/fdinfo");
    let mut ids = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("reading {directory}"))? {
        // A descriptor may be closed meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        // Links name their program, too.
        if let (Some(id), Some(_)) = (field("prog_id:"), field("run_cnt:")) {
            ids.push(id);
        }
    }
    let shown: Value =
        serde_json::from_str(&read(std::process::Command::new("bpftool").args(["-j", "prog", "show"]))?)?;
    let shown = shown.as_array().context("bpftool shows no list of programs")?;
    let ours = shown.iter().filter(|program| program["id"].as_u64().is_some_and(|id| ids.contains(&id)));
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let runs = |program: &Value| Runs {
        name: program["name"].as_str().unwrap_or_default().to_owned(),
        ns: number(&program["run_time_ns"]),
        count: number(&program["run_cnt"]),
    };
    Ok(ours.map(runs).collect())
}

/// Nanoseconds that the programs whose names contain one of `of` run per run of the one whose name contains `per`, while `load`
/// runs.
pub fn per_event(observer: &Attached, of: &[&str], per: &str, load: impl FnOnce() -> Result<()>) -> Result<f64> {
    let _account = Account::open()?;
    let before = programs(observer.pid())?;
    load()?;
    let after = programs(observer.pid())?;
    let (mut ns, mut events) = (0.0, 0.0);
    for (after, before) in after.iter().zip(&before) {
        if of.iter().any(|part| after.name.contains(part)) {
            ns += after.ns - before.ns;
        }
        if after.name.contains(per) {
            events += after.count - before.count;
        }
    }
    anyhow::ensure!(events > 0.0, "no program named like {per} ran");
    Ok(ns / events)
}

/// In turns: figures per variant and round.
pub fn rounds<const N: usize>(
    bench: &Bench,
    variants: &[Observer],
    mut measure: impl FnMut(&Observer) -> Result<Option<[f64; N]>>,
) -> Result<Vec<Vec<[f64; N]>>> {
    let mut rows = vec![Vec::new(); variants.len()];
    for round in 1..=bench.rounds {
        eprintln!("bench:   round {round} of {}", bench.rounds);
        for (row, variant) in rows.iter_mut().zip(variants) {
            bench.quiet.wait();
            let Some(figures) = measure(variant)? else { continue };
            tell(variant, &figures);
            row.push(figures);
        }
    }
    Ok(rows)
}

/// What a variant came to in a round.
pub fn tell(variant: &Observer, figures: &[f64]) {
    let figures: Vec<_> = figures.iter().map(|figure| format!("{figure:.1}")).collect();
    eprintln!("bench:     {}: {}", variant.name, figures.join(", "));
}

/// Of one of the figures.
pub fn spread<const N: usize>(rounds: &[[f64; N]], at: usize) -> Option<Spread> {
    Spread::of(rounds.iter().map(|round| round[at]))
}
