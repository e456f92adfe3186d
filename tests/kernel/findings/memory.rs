//! Memory that runs out in a cgroup.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::{
        Test, here, one_machine,
        oom::{
            group::{Group, MIB, holder, is_killed, is_v2},
            waits::reader_at_limit,
        },
        skip,
        stillwatch::Watch,
        workload::Workload,
    },
    LATE, is_sound, names, only, wait_for, wait_until_over,
};

pub const TESTS: &[Test] = &[
    here("findings_oom_kill", killed),
    here("findings_memory_stall", stalled).alone(),
    one_machine("findings_memory_stall_at_memory_high", slowed),
];

const LIMIT: u64 = 20 * MIB;

/// Two kills in one cgroup.
fn killed() -> Result<()> {
    let group = Group::new("finding", Some(LIMIT))?;
    let mut watch = Watch::everything(&[])?;
    for (kills, words) in [(1, "the kernel killed first"), (2, "2 kills in ")] {
        let hog = holder(if kills == 1 { c"first" } else { c"second" }, 2 * LIMIT, &group)?;
        hog.go();
        is_killed(&hog)?;
        let found = wait_for(&mut watch, "oom_kill", |finding| {
            names(finding, "victims", hog.pid)
                && finding["statement"].as_str().is_some_and(|text| text.starts_with(words))
        })?;
        is_sound(&found)?;
        let kill = watch.events.iter().find(|event| event["event"] == "oom_kill" && event["victim"]["pid"] == hog.pid);
        ensure!(kill.is_some(), "no event of {}", hog.pid);
        ensure!(found["subject"] == group.path.as_str(), "{found}");
    }
    // Before they were killed, they waited.
    only(&watch, &["oom_kill", "memory_stall"])
}

/// The process waits for memory, and nothing is told but what these rules say.
fn waits(process: Workload, group: &Group) -> Result<()> {
    let mut watch = Watch::everything(&[])?;
    let start = Instant::now();
    process.go();
    let is_right =
        |finding: &Value| finding["subject"] == group.path.as_str() && names(finding, "victims", process.pid);
    let found = wait_for(&mut watch, "memory_stall", is_right)?;
    drop(process);
    let fault = start.elapsed();
    is_sound(&found)?;
    wait_until_over(&mut watch, &found, fault, LATE)?;
    only(&watch, &["memory_stall"])
}

/// File pages of a cgroup at its limit are taken away again and again.
fn stalled() -> Result<()> {
    let reader = reader_at_limit(6, u32::MAX)?;
    waits(reader.process, &reader.group)
}

/// A process that takes more than its cgroup should have is slowed down, by up to two seconds each time.
fn slowed() -> Result<()> {
    if !is_v2()? {
        return Err(skip("cgroup v1 has no memory.high"));
    }
    let group = Group::new("slowed", None)?;
    group.set("memory.high", 8 * MIB)?;
    waits(holder(c"slowed", 64 * MIB, &group)?, &group)
}
