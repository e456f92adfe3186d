//! The `tcp` probe against losses whose number is known.
//!
//! A socket filter at the receiver drops what the test says before TCP sees it: a loss, on any kernel, without any tool. All of it
//! happens on the loopback interface of a network namespace of its own, whose counters nobody else moves.

mod connects;
mod drops;
mod listeners;
mod net;
mod owners;
mod raw;
mod resets;
mod segments;
mod storm;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    Test,
    stillwatch::{RUNNING, Watch, losses},
};

pub fn tests() -> Vec<Test> {
    [segments::TESTS, owners::TESTS, connects::TESTS, resets::TESTS, drops::TESTS, listeners::TESTS, storm::TESTS]
        .concat()
}

fn watch(flags: &[&str]) -> Result<Watch> {
    Watch::of("tcp", flags, &[])
}

/// Waits until an event is as wanted; `what` says what did not come.
fn wait_for(watch: &mut Watch, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(event) = watch.events.iter().find(|&event| wanted(event)) {
            return Ok(event.clone());
        }
        ensure!(Instant::now() < end, "no {what} among {:#?}", watch.events);
        watch.next()?;
    }
}

/// Events of this namespace: other processes of the host have connections, too.
fn in_net(net: &net::Net) -> impl Fn(&Value) -> bool + use<> {
    let number = net.number;
    move |event| event["netns"] == number
}

fn none_lost(watch: &Watch) -> Result<()> {
    let lost = losses(&watch.snapshots);
    ensure!(lost.values().sum::<u64>() == 0, "lost: {lost:?}");
    Ok(())
}

/// Nothing is lost but events that the kernel withheld from a program that was already running: their number. Where much happens at
/// once on a kernel that may preempt a program, there are always some.
fn only_withheld(watch: &Watch) -> Result<u64> {
    let lost = losses(&watch.snapshots);
    let withheld = lost.get(RUNNING).copied().unwrap_or(0);
    ensure!(lost.values().sum::<u64>() == withheld, "lost: {lost:?}");
    Ok(withheld)
}
