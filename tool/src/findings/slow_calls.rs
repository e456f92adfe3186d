//! A process whose system calls take long, for another reason than disks and memory: a lock of a file, a peer that does not read.
//!
//! Holds when one call of one process takes at least 0.5 s per second in calls of 10 ms and more. Calls that wait by design (poll,
//! accept, sleep) do not count, nor those that may wait for devices that are not disks (ioctl), nor waits of other rules.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Scene,
    waits::{Class, Wait},
    words::{each_second, name},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
    },
};

const RULE: &str = "slow_calls";
const LOST: f64 = 0.5;
/// Calls that have not returned are counted from here on.
const LONG_NS: u64 = 1_000_000_000;
/// Of the worst only: the table of the probe has the rest.
const WORST: usize = 3;

/// They wait by design, or may: for a virtual CPU, a device of any kind, a FIFO, a child.
const MEANT: &[&str] =
    &["ioctl", "open", "openat", "openat2", "vfork", "clone", "clone3", "execve", "execveat", "ptrace"];

/// One call of one process.
pub struct Slow<'a> {
    pub who: &'a Who,
    pub name: &'a str,
    pub lost_ns: u64,
    /// Of those whose begin was seen.
    pub max_ns: u64,
    /// One of them began before the run.
    pub before_start: bool,
    calls: u64,
    now: u64,
}

pub fn look(scene: &Scene) -> Vec<Finding> {
    let slow = calls(scene).into_iter().filter(|row| scene.share(row.lost_ns) >= LOST);
    slow.take(WORST).map(|row| one(scene, &row)).collect()
}

/// Long calls that are no other rule's, the most time first.
pub fn calls<'a>(scene: &Scene<'a>) -> Vec<Slow<'a>> {
    let Some(syscalls) = &scene.now.syscalls else { return Vec::new() };
    // Those of the rules about memory, disks and stuck tasks.
    let theirs = |wait: &&Wait| wait.class != Class::Meant;
    let elsewhere: Vec<(Option<u32>, Option<&str>)> = scene
        .waits
        .iter()
        .filter(theirs)
        .map(|wait| (wait.row.who.pid, wait.row.syscall.value().map(String::as_str)))
        .collect();
    let counts = |pid: Option<u32>, call: &str| !MEANT.contains(&call) && !elsewhere.contains(&(pid, Some(call)));
    let mut rows: BTreeMap<(Option<u32>, &str), Slow> = BTreeMap::new();
    for slow in syscalls.slow.iter().filter(|slow| counts(slow.who.pid, &slow.syscall)) {
        let row = rows.entry((slow.who.pid, &slow.syscall)).or_insert(Slow::none(&slow.who, &slow.syscall));
        row.lost_ns += slow.total_ns.min(slow.count.saturating_mul(scene.interval_ns()));
        row.max_ns = row.max_ns.max(slow.max_ns);
        row.calls += slow.count;
    }
    for call in syscalls.in_flight.iter().filter(|call| counts(call.who.pid, &call.syscall)) {
        let age_ns = call.age_ns.value().copied();
        if age_ns.is_some_and(|age_ns| age_ns < LONG_NS) {
            continue;
        }
        let row = rows.entry((call.who.pid, &call.syscall)).or_insert(Slow::none(&call.who, &call.syscall));
        // Since before the run is at least all of this interval.
        row.lost_ns += age_ns.map_or(scene.interval_ns(), |age_ns| age_ns.min(scene.interval_ns()));
        row.max_ns = row.max_ns.max(age_ns.unwrap_or(0));
        row.before_start |= age_ns.is_none();
        row.now += 1;
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by_key(|row| Reverse(row.lost_ns));
    rows
}

impl<'a> Slow<'a> {
    fn none(who: &'a Who, name: &'a str) -> Self {
        Self { who, name, lost_ns: 0, max_ns: 0, before_start: false, calls: 0, now: 0 }
    }
}

fn one(scene: &Scene, row: &Slow) -> Finding {
    let (pid, call) = (row.who.pid, row.name);
    let of = |what: String, value| Evidence { probe: "syscalls", what, value };
    let now = if row.now > 0 {
        format!("; {} not returned", format::plural(row.now, "call has", "calls have"))
    } else {
        String::new()
    };
    let pid_words = pid.map_or_else(String::new, |pid| pid.to_string());
    let longest = match row.before_start {
        true => "one since before this run".to_owned(),
        false => format!("at most {} a call", format::duration(row.max_ns)),
    };
    Finding {
        rule: RULE,
        subject: format!("{pid_words} {call}"),
        statement: format!(
            "{} spends {} in {}, {longest}{now}",
            name(row.who),
            each_second(scene.ns_rate(row.lost_ns)),
            escape(call),
        ),
        harm: scene.share(row.lost_ns),
        evidence: vec![
            of(format!("time in long {call}"), Value::NanosecondsPerSecond(scene.ns_rate(row.lost_ns))),
            of("calls that returned".into(), Value::Count(row.calls)),
            of("calls that have not".into(), Value::Count(row.now)),
            of("longest".into(), Value::Nanoseconds(row.max_ns)),
        ],
        victims: vec![row.who.clone()],
        unknown: vec!["whom it waits for: no disk, and no memory".into()],
        next: match pid {
            Some(pid) => format!("stillwatch syscalls -p {pid} --syscall {call}"),
            None => format!("stillwatch syscalls --syscall {call}"),
        },
        ..Finding::default()
    }
}
