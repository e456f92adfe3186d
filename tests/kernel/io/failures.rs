//! What is made to fail costs what needs it, and everything that is printed says so.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stillwatch_tests::stillwatch;

use super::super::{Test, here, stillwatch::Watch};

pub const TESTS: &[Test] = &[
    here("io_fails_alone_without_a_map", without_a_map),
    here("io_fails_alone_without_a_hook", without_a_hook),
    here("io_fails_alone_where_a_program_is_refused", refused),
    here("io_fails_alone_without_a_member", without_a_member),
    here("io_loses_what_an_optional_hook_tells", optional_hook),
    here("io_loses_what_an_optional_member_tells", optional_member),
];

/// A table that no kernel makes.
fn without_a_map() -> Result<()> {
    fails_alone(("STILLWATCH_REQUESTS", "4000000000"), "IO_REQUESTS")
}

fn without_a_hook() -> Result<()> {
    fails_alone(("STILLWATCH_WITHOUT", "hook:block_rq_issue"), "block_rq_issue")
}

/// An offset that the programs are not told: the verifier sees a load from nowhere.
fn refused() -> Result<()> {
    fails_alone(("STILLWATCH_WITHOUT", "fact:RQ_LEN"), "the kernel refuses tp_btf block_rq_")
}

fn without_a_member() -> Result<()> {
    fails_alone(("STILLWATCH_WITHOUT", "member:request.__data_len"), "request has no member __data_len")
}

fn optional_hook() -> Result<()> {
    loses(("STILLWATCH_WITHOUT", "hook:block_getrq"), "owners of requests", "block_getrq")
}

fn optional_member() -> Result<()> {
    let lost = "stalls are not tied to the device whose request ended them";
    loses(("STILLWATCH_WITHOUT", "member:task_struct.in_iowait"), lost, "task_struct has no member in_iowait")
}

type Variable = (&'static str, &'static str);

/// Of all probes, `io` does not run, and nothing of its is taken for fine.
fn fails_alone(variable: Variable, why: &str) -> Result<()> {
    let watch = overview(variable)?;
    let lines = |probe: &str| watch.snapshots.iter().filter(|line| line["probe"] == *probe).collect::<Vec<_>>();
    let io = lines("io");
    let right = |line: &&Value| line["unavailable"].as_str().is_some_and(|said| said.contains(why));
    ensure!(!io.is_empty() && io.iter().all(right) && io.iter().all(|line| line["devices"].is_null()), "{io:?}");
    others_go_on(&watch)?;
    for finding in watch.findings.iter().filter(|line| line["rule"] == "ruled_out") {
        let areas = finding["areas"].as_array().into_iter().flatten();
        ensure!(areas.into_iter().all(|area| area["area"] != "disks"), "{finding}");
        ensure!(not_measured(finding).any(|what| what.starts_with("disks (io is unavailable")), "{finding}");
    }
    let text = page(&["0.2", "1"], variable)?;
    ensure!(text.contains("not measured: disks (io is unavailable: ") && text.contains(why), "{text}");
    let io = doctor(variable)?;
    ensure!(io["state"] == "unavailable" && io["why"].as_str().is_some_and(|said| said.contains(why)), "{io}");
    Ok(())
}

/// `io` goes on without a part of it.
fn loses(variable: Variable, lost: &str, why: &str) -> Result<()> {
    let watch = overview(variable)?;
    others_go_on(&watch)?;
    let io = || watch.snapshots.iter().filter(|line| line["probe"] == "io");
    ensure!(io().next().is_some() && io().all(|line| line["unavailable"].is_null() && line["devices"].is_array()));
    for finding in watch.findings.iter().filter(|line| line["rule"] == "ruled_out") {
        ensure!(not_measured(finding).any(|what| what.starts_with(lost) && what.contains(why)), "{finding}");
    }
    let text = page(&["0.2", "1"], variable)?;
    ensure!(text.contains(lost) && text.contains(why), "{text}");
    let io = doctor(variable)?;
    ensure!(io["state"] == "degraded" && io.to_string().contains(lost) && io.to_string().contains(why), "{io}");
    Ok(())
}

fn overview(variable: Variable) -> Result<Watch> {
    let mut watch = Watch::every("1", "", &[], &[variable])?;
    while watch.findings.is_empty() {
        watch.line()?;
    }
    watch.stop()?;
    Ok(watch)
}

fn others_go_on(watch: &Watch) -> Result<()> {
    for probe in ["syscalls", "tcp", "oom", "cpu"] {
        let lines: Vec<_> = watch.snapshots.iter().filter(|line| line["probe"] == *probe).collect();
        ensure!(!lines.is_empty() && lines.iter().all(|line| line["unavailable"].is_null()), "{probe}: {lines:?}");
    }
    Ok(())
}

fn not_measured(finding: &Value) -> impl Iterator<Item = &str> {
    finding["not_measured"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What it prints, without its line breaks.
fn page(words: &[&str], variable: Variable) -> Result<String> {
    let output = stillwatch().args(words).envs([variable]).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What the doctor says of `io`.
fn doctor(variable: Variable) -> Result<Value> {
    let report: Value = serde_json::from_str(&page(&["doctor", "--json"], variable)?)?;
    let io = report["probes"].as_array().into_iter().flatten().find(|probe| probe["probe"] == "io");
    io.cloned().context("the doctor knows no io")
}
