//! The `oom` probe against kills and waits that are made: in cgroups with a limit on this machine, v1 or v2, and of the whole host
//! in virtual machines.

pub mod group;
mod kills;
mod log;
mod storm;
pub mod waits;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Test, stillwatch::Watch};

pub fn tests() -> Vec<Test> {
    [kills::TESTS, log::TESTS, waits::TESTS, storm::TESTS].concat()
}

fn watch(flags: &[&str]) -> Result<Watch> {
    if flags.is_empty() { Watch::shared("oom") } else { Watch::of("oom", flags, &[]) }
}

/// One that begins now: for what is older than a run, and for what it says at its end.
fn fresh() -> Result<Watch> {
    Watch::of("oom", &[], &[])
}

/// Waits until an event is as wanted; `what` says what did not come.
fn wait_for(watch: &mut Watch, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(event) = watch.events.iter().find(|&event| wanted(event)) {
            return Ok(event.clone());
        }
        ensure!(Instant::now() < end, "no {what} among {:#?}", brief(&watch.events));
        watch.next()?;
    }
}

fn kill_of(watch: &mut Watch, pid: u32) -> Result<Value> {
    wait_for(watch, "kill", |event| event["event"] == "oom_kill" && event["victim"]["pid"] == pid)
}

/// Without what takes pages.
fn brief(events: &[Value]) -> Vec<Value> {
    let without = |event: &Value| {
        let mut event = event.clone();
        for long in ["kernel_log", "lead_up", "candidates"] {
            event[long] = Value::Null;
        }
        event
    };
    events.iter().map(without).collect()
}
