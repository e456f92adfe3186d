//! The `tcp` probe against losses whose number is known.
//!
//! A socket filter at the receiver drops what the test says before TCP sees it: a loss, on any kernel, without any tool. All of it
//! happens on the loopback interface of a network namespace of its own, whose counters nobody else moves.

pub mod connects;
mod drops;
mod listeners;
pub mod net;
mod owners;
mod packets;
mod raw;
mod resets;
mod segments;
pub mod sockets;
mod storm;
mod windows;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    Test,
    stillwatch::{RUNNING, Watch, losses},
};

pub fn tests() -> Vec<Test> {
    [
        segments::TESTS,
        owners::TESTS,
        connects::TESTS,
        resets::TESTS,
        drops::TESTS,
        listeners::TESTS,
        windows::TESTS,
        sockets::TESTS,
        packets::TESTS,
        storm::TESTS,
    ]
    .concat()
}

fn watch(flags: &[&str]) -> Result<Watch> {
    if flags.is_empty() { Watch::shared("tcp") } else { Watch::of("tcp", flags, &[]) }
}

/// One that begins now: for what is older than a run, and for what it says at its end.
fn fresh() -> Result<Watch> {
    Watch::of("tcp", &[], &[])
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

/// What may be lost where more happens at once than a slow machine takes in.
struct Lost {
    /// By the kernel, from a program that was already running: kernels that may preempt one always do some.
    missed: u64,
    /// Single events for which the ring had no room; the sums have them.
    unlisted: u64,
}

/// Nothing else is.
fn lost(watch: &Watch) -> Result<Lost> {
    let lost = losses(&watch.snapshots);
    let of = |cause: &str| lost.get(cause).copied().unwrap_or(0);
    let (missed, unlisted) = (of(RUNNING), of("tcp events full"));
    ensure!(lost.values().sum::<u64>() == missed + unlisted, "lost: {lost:?}");
    Ok(Lost { missed, unlisted })
}
