//! Processes whose system calls take long, for another reason than disks and memory: a lock of a file, a peer that does not read.
//!
//! Holds when one call of one process takes at least 0.5 s per second in calls of 10 ms and more. Calls that wait by design (poll,
//! accept, sleep) do not count, nor those that may wait for devices that are not disks (ioctl), nor waits of other rules.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Scene,
    waits::{Class, Wait},
    windows,
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        syscalls::InFlight,
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
    let mut groups: BTreeMap<(&str, Option<u32>, &str), Vec<Slow>> = BTreeMap::new();
    for row in calls(scene).into_iter().filter(|row| scene.share(row.lost_ns) >= LOST) {
        // Processes of one name that hang in the same call do so for one reason.
        let comm = row.who.comm.as_deref();
        let key = (comm.unwrap_or_default(), row.who.pid.filter(|_| comm.is_none()), row.name);
        groups.entry(key).or_default().push(row);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|rows| Reverse(lost_ns(rows)));
    groups.iter().take(WORST).filter_map(|rows| one(scene, rows)).collect()
}

fn lost_ns(rows: &[Slow]) -> u64 {
    rows.iter().map(|row| row.lost_ns).sum()
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
    let counts = |who: &Who, call: &str| {
        !MEANT.contains(&call) && !elsewhere.contains(&(who.pid, Some(call))) && !scene.is_ours(who)
    };
    let mut rows: BTreeMap<(Option<u32>, &str), Slow> = BTreeMap::new();
    for slow in syscalls.slow.iter().filter(|slow| counts(&slow.who, &slow.syscall)) {
        let row = rows.entry((slow.who.pid, &slow.syscall)).or_insert(Slow::none(&slow.who, &slow.syscall));
        row.lost_ns += slow.total_ns.min(slow.count.saturating_mul(scene.interval_ns()));
        row.max_ns = row.max_ns.max(slow.max_ns);
        row.calls += slow.count;
    }
    let goes_on = |call: &&InFlight| !call.is_for_server() && counts(&call.who, &call.syscall);
    for call in syscalls.in_flight.iter().filter(goes_on) {
        let age_ns = call.age_ns.value().copied();
        if age_ns.is_some_and(|age_ns| age_ns < LONG_NS) {
            continue;
        }
        let row = rows.entry((call.who.pid, &call.syscall)).or_insert(Slow::none(&call.who, &call.syscall));
        row.lost_ns += call.lost_ns(scene.interval_ns());
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

/// Of one call, of processes of one name.
fn one(scene: &Scene, rows: &[Slow]) -> Option<Finding> {
    let &Slow { who, name: call, .. } = rows.first()?;
    let victims: Vec<Who> = rows.iter().map(|row| row.who.clone()).collect();
    let sum = |of: fn(&Slow) -> u64| rows.iter().map(of).sum::<u64>();
    let (lost_ns, calls, now) = (lost_ns(rows), sum(|row| row.calls), sum(|row| row.now));
    let max_ns = rows.iter().map(|row| row.max_ns).max().unwrap_or(0);
    let before_start = rows.iter().any(|row| row.before_start);
    let longest = match (max_ns, before_start) {
        (0, _) => "since before this run".to_owned(),
        (ns, false) => format!("at most {} a call", format::duration(ns)),
        (ns, true) => format!("at most {} a call, or since before this run", format::duration(ns)),
    };
    let not_returned = match now {
        0 => String::new(),
        _ => format!("; {} not returned", format::plural(now, "call has", "calls have")),
    };
    let of = |what: String, value| Evidence { probe: "syscalls", what, value };
    let longest_known = (max_ns > 0).then(|| of("longest".into(), Value::Nanoseconds(max_ns)));
    let counts = [
        of(format!("time in long {call}"), Value::NanosecondsPerSecond(scene.ns_rate(lost_ns))),
        of("calls that returned".into(), Value::Count(calls)),
        of("calls that have not".into(), Value::Count(now)),
    ];
    let whose = who.comm.clone().unwrap_or_else(|| who.pid.map_or_else(String::new, |pid| pid.to_string()));
    let closed = windows::of(scene, rows);
    let because = closed.first().map_or_else(String::new, |window| format!("; {}", windows::words(window)));
    let unknown = closed
        .is_empty()
        .then(|| format!("whom {} for: no disk, and no memory", verb(victims.len(), "it waits", "they wait")));
    Some(Finding {
        rule: RULE,
        subject: format!("{whose} {call}"),
        statement: format!(
            "{} {} {} in {}, {longest}{not_returned}{because}",
            names(&victims),
            verb(victims.len(), "spends", "spend"),
            each_second(scene.ns_rate(lost_ns)),
            escape(call),
        ),
        harm: scene.share(lost_ns),
        evidence: counts.into_iter().chain(longest_known).collect(),
        doubts: before_start
            .then(|| "it began before this run: for how long is not known".to_owned())
            .into_iter()
            .collect(),
        unknown: unknown.into_iter().collect(),
        culprits: closed.iter().map(|window| &window.reader).filter(|who| who.pid.is_some()).cloned().collect(),
        next: match (&victims[..], who.pid) {
            (_, Some(pid)) if !closed.is_empty() => format!("stillwatch tcp -p {pid}"),
            ([_], Some(pid)) => format!("stillwatch syscalls -p {pid} --syscall {call}"),
            _ => format!("stillwatch syscalls --by process --syscall {call}"),
        },
        victims,
        ..Finding::default()
    })
}
