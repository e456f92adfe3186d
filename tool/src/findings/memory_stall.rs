//! Processes that wait for memory: they free it themselves, compact it, read it back from swap, or are slowed down at a limit.
//!
//! Holds when it takes at least 0.1 s per second, or a wait goes on for a second. A host that is well does not wait for memory: the
//! kernel's own thread frees it in time. Waits in a cgroup that is at its limit are that cgroup's finding, and so are the pauses of
//! those that the kernel slows down at `memory.high`: that this is why, the stack of the wait tells.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Scene,
    waits::Class,
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
    format, reasons,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        oom::{Kind, Oom},
    },
};

const RULE: &str = "memory_stall";
const LOST: f64 = 0.1;
const LONG: Duration = Duration::from_secs(1);

/// What memory is short in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Host,
    /// A cgroup at its limit.
    Limit(String),
    /// The cgroup of a process that is slowed down. `memory.high` may be that of one above it.
    High(String),
}

#[derive(Default)]
struct Group<'a> {
    by_pid: BTreeMap<Option<u32>, (u64, &'a Who)>,
    by_kind: BTreeMap<&'static str, u64>,
    waits: u64,
    longest_ns: u64,
    /// One of them began before the run.
    before_start: bool,
    now: u64,
}

/// One process's waits of one kind.
pub struct Waits<'a> {
    pub who: &'a Who,
    place: Place,
    pub words: &'static str,
    pub lost_ns: u64,
    /// 0 of those that began before the run.
    pub longest_ns: u64,
    pub before_start: bool,
    ended: u64,
    now: u64,
}

/// As the kernel's own hooks tell them; and those that a stack tells where no hook was seen, because they began before the run.
pub fn waits<'a>(scene: &'a Scene) -> Vec<Waits<'a>> {
    let Some(oom) = &scene.now.oom else { return Vec::new() };
    let interval_ns = scene.interval_ns();
    let of = |who: &'a Who, kind, lost_ns, longest_ns| {
        let place = place(scene, oom, kind, who);
        let words = if matches!(place, Place::High(_)) { "at memory.high" } else { words(kind) };
        Waits { who, place, words, lost_ns, longest_ns, before_start: false, ended: 0, now: 0 }
    };
    let ended = oom.reclaim.iter().filter(|row| !row.who.kernel_thread).map(|row| {
        let latency = &row.latency;
        Waits { ended: latency.count, ..of(&row.who, row.kind, row.lost_ns, latency.max_ns) }
    });
    let now = oom.inside.iter().filter(|row| !row.who.kernel_thread).map(|row| {
        let age_ns = row.age.as_nanos() as u64;
        Waits { now: 1, ..of(&row.who, row.kind, age_ns.min(interval_ns), age_ns) }
    });
    let mut all: Vec<Waits> = ended.chain(now).collect();
    let seen: BTreeSet<Option<u32>> = all.iter().map(|wait| wait.who.pid).collect();
    let unseen = scene.waits.iter().filter(|wait| wait.class == Class::Memory && !seen.contains(&wait.row.who.pid));
    all.extend(unseen.map(|wait| {
        let row = wait.row;
        let place = at_limit(oom, &row.who).map_or(Place::Host, Place::Limit);
        let reason = row.reason.value().map_or("", String::as_str);
        let words = if reason == reasons::Kind::OutOfMemory.words() { KILLER } else { words(Kind::Sleep) };
        let (longest_ns, before_start) = (row.ended_max_ns.max(row.age_ns().unwrap_or(0)), row.before_start());
        Waits {
            who: &row.who,
            place,
            words,
            lost_ns: wait.lost_ns,
            longest_ns,
            before_start,
            ended: row.waits,
            now: row.now,
        }
    }));
    all
}

/// Of a cgroup whose OOM killer is switched off, or that leaves it to a program.
const KILLER: &str = "until somebody makes room or kills: the kernel may not";

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(oom) = &scene.now.oom else { return Vec::new() };
    let mut groups: BTreeMap<Place, Group> = BTreeMap::new();
    for wait in waits(scene) {
        let group = groups.entry(wait.place).or_default();
        group.by_pid.entry(wait.who.pid).or_insert((0, wait.who)).0 += wait.lost_ns;
        *group.by_kind.entry(wait.words).or_default() += wait.lost_ns;
        group.longest_ns = group.longest_ns.max(wait.longest_ns);
        group.before_start |= wait.before_start;
        group.waits += wait.ended;
        group.now += wait.now;
    }
    groups.into_iter().filter_map(|(place, group)| one(scene, oom, &place, group)).collect()
}

fn place(scene: &Scene, oom: &Oom, kind: Kind, who: &Who) -> Place {
    match kind {
        Kind::Memcg => at_limit(oom, who).map_or(Place::Host, Place::Limit),
        Kind::Sleep if is_slowed(scene, who) => who.cgroup.clone().map_or(Place::Host, Place::High),
        _ => Place::Host,
    }
}

fn is_slowed(scene: &Scene, who: &Who) -> bool {
    let mut stalled = scene.now.io.iter().filter_map(|io| io.stalled.value()).flatten();
    let high = reasons::Kind::MemoryHigh.words();
    who.pid.is_some()
        && stalled.any(|row| row.who.pid == who.pid && row.reason.value().map(String::as_str) == Some(high))
}

/// The cgroup with a limit that a process is in or below.
fn at_limit(oom: &Oom, who: &Who) -> Option<String> {
    let own = who.cgroup.as_deref()?;
    let limits = oom.limits.iter().filter_map(|limit| limit.cgroup.as_deref().filter(|_| limit.limit_bytes.is_some()));
    let above = limits.filter(|path| *path != "/" && (own == *path || own.starts_with(&format!("{path}/"))));
    above.max_by_key(|path| path.len()).map(str::to_owned)
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Direct => "to free some themselves",
        Kind::Memcg => "at a cgroup's limit",
        Kind::Compaction => "for a large piece of it",
        Kind::Sleep => "for swap, or because they are slowed down",
    }
}

/// How much of it is used.
fn state(oom: &Oom, place: &Place) -> String {
    match place {
        Place::Host => {
            let memory = &oom.memory;
            format!("{} of {} available", format::bytes(memory.available), format::bytes(memory.total))
        }
        Place::Limit(cgroup) => {
            let limit = oom.limits.iter().find(|limit| limit.cgroup.as_ref() == Some(cgroup));
            let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), format::bytes);
            let used = bytes(limit.map(|limit| limit.usage_bytes));
            format!("{} uses {used} of {}", escape(cgroup), bytes(limit.and_then(|limit| limit.limit_bytes)))
        }
        Place::High(cgroup) => format!("that of {} or of a cgroup above it", escape(cgroup)),
    }
}

fn one(scene: &Scene, oom: &Oom, place: &Place, group: Group) -> Option<Finding> {
    let mut rows: Vec<_> = group.by_pid.into_values().collect();
    rows.sort_by_key(|&(lost_ns, _)| Reverse(lost_ns));
    let lost_ns: u64 = rows.iter().map(|(lost_ns, _)| lost_ns).sum();
    let lost = scene.share(lost_ns);
    let long = group.before_start || group.now > 0 && group.longest_ns >= LONG.as_nanos() as u64;
    if lost < LOST && !long {
        return None;
    }
    let victims: Vec<Who> = rows.iter().map(|(_, who)| (*who).clone()).collect();
    let mut kinds: Vec<_> = group.by_kind.into_iter().collect();
    kinds.sort_by_key(|&(_, ns)| Reverse(ns));
    let mainly = kinds.first().map_or("", |(kind, _)| kind);
    let of = |what: String, value| Evidence { probe: "oom", what, value };
    let mut evidence: Vec<_> = kinds
        .iter()
        .map(|(kind, ns)| of(format!("waits {kind}"), Value::NanosecondsPerSecond(scene.ns_rate(*ns))))
        .collect();
    evidence.push(of("waits that ended".into(), Value::Count(group.waits)));
    evidence.push(of("tasks that wait".into(), Value::Count(group.now)));
    if group.longest_ns > 0 {
        evidence.push(of("longest".into(), Value::Nanoseconds(group.longest_ns)));
    }
    evidence.push(of("memory available".into(), Value::Bytes(oom.memory.available)));
    Some(Finding {
        rule: RULE,
        statement: format!(
            "{} {} {} for memory, mainly {mainly}; {}",
            names(&victims),
            verb(victims.len(), "waits", "wait"),
            each_second(scene.ns_rate(lost_ns)),
            state(oom, place),
        ),
        subject: match place {
            Place::Host => String::new(),
            Place::Limit(cgroup) | Place::High(cgroup) => cgroup.clone(),
        },
        harm: lost,
        evidence,
        victims,
        doubts: group.before_start.then(|| "it began before this run".to_owned()).into_iter().collect(),
        unknown: vec!["who took the memory: it may be another process than the one that waits".into()],
        next: "stillwatch oom".into(),
        ..Finding::default()
    })
}
