//! Findings against real faults: the right one ranks first and names the right process, and none is wrong. One scenario a rule;
//! and hosts that are well, which have none.

mod calls;
mod changes;
mod cpu;
pub mod fuse;
pub mod healthy;
mod io;
mod memory;
pub mod network;
mod softirq;
mod space;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Test, stillwatch::Watch};

pub fn tests() -> Vec<Test> {
    [
        cpu::TESTS,
        softirq::TESTS,
        memory::TESTS,
        io::TESTS,
        fuse::TESTS,
        network::TESTS,
        space::TESTS,
        calls::TESTS,
        changes::TESTS,
        healthy::TESTS,
    ]
    .concat()
}

/// A finding may need so long: two seconds in which it holds, and what the machine is slow by.
const PATIENCE: Duration = Duration::from_secs(40);

/// Reads on until a finding of this rule is the first, and `fits` it.
fn wait_for(watch: &mut Watch, rule: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
    let until = Instant::now() + PATIENCE;
    let mut seen = watch.findings.len();
    while Instant::now() < until {
        watch.line()?;
        for finding in &watch.findings[seen..] {
            if finding["rule"] == rule && finding["rank"] == 1 && fits(finding) {
                return Ok(finding.clone());
            }
        }
        seen = watch.findings.len();
    }
    let last: Vec<String> = told(watch).map(|finding| finding["statement"].to_string()).collect();
    anyhow::bail!("no {rule} came first; told: {last:#?}")
}

/// What most findings may begin late: an interval that was under way, one in which it is not yet enough, and a slow machine.
const LATE: Duration = Duration::from_secs(4);

/// Reads on until that finding is over. It lasted as long as the fault, apart from the intervals that either begins and ends in;
/// it may have begun `late`.
fn wait_until_over(watch: &mut Watch, finding: &Value, fault: Duration, late: Duration) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut seen = watch.findings.len();
    while Instant::now() < until {
        watch.line()?;
        for line in &watch.findings[seen..] {
            if line["state"] == "over" && line["rule"] == finding["rule"] && line["subject"] == finding["subject"] {
                return has_lasted(line, fault, late);
            }
        }
        seen = watch.findings.len();
    }
    anyhow::bail!("it is never over: {finding}")
}

fn has_lasted(over: &Value, fault: Duration, late: Duration) -> Result<()> {
    let lasted = Duration::from_nanos(over["lasted_ns"].as_u64().context("no lasted_ns")?);
    // A snapshot is late by itself when the machine is slow.
    let (least, most) = (fault.saturating_sub(late), fault + Duration::from_secs(3));
    ensure!(least <= lasted && lasted <= most, "{lasted:?} of {fault:?}: {over}");
    Ok(())
}

/// All lines of findings of a run, without those of what is fine.
fn told(watch: &Watch) -> impl Iterator<Item = &Value> {
    watch.findings.iter().filter(|finding| finding["rule"] != "ruled_out" && finding["rule"] != "unclear")
}

/// No other rule had anything to say, apart from those that the scenario makes true as well.
fn only(watch: &Watch, rules: &[&str]) -> Result<()> {
    let wrong = told(watch).find(|finding| !rules.iter().any(|rule| finding["rule"] == *rule));
    ensure!(wrong.is_none(), "wrong, or not expected: {wrong:?}");
    Ok(())
}

/// Whether a process is among the victims or culprits of a finding.
fn names(finding: &Value, list: &str, pid: u32) -> bool {
    finding[list].as_array().into_iter().flatten().any(|who| who["pid"] == pid)
}

/// What holds of every finding: it has a sentence, evidence of a known probe, and a command that only observes.
fn is_sound(finding: &Value) -> Result<()> {
    let text = |field: &str| finding[field].as_str().with_context(|| format!("no {field}: {finding}"));
    ensure!(!text("statement")?.is_empty() && text("next")?.starts_with("stillwatch "), "{finding}");
    ensure!(["high", "medium", "low"].contains(&text("confidence")?), "{finding}");
    let evidence = finding["evidence"].as_array().context("no evidence")?;
    ensure!(!evidence.is_empty() && evidence.iter().all(|row| row["value"].is_number()), "{finding}");
    Ok(())
}
