//! Processes that wait for memory: they free it themselves, compact it, read it back from swap, or are slowed down at a limit.
//!
//! Holds when it takes at least 0.1 s per second, or a wait goes on for a second. A host that is well does not wait for memory: the
//! kernel's own thread frees it in time. Waits in a cgroup that is at its limit are that cgroup's finding, and so are the pauses of
//! those that the kernel slows down at `memory.high`: that this is why, the stack of the wait tells.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{
    Scene,
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
    now: u64,
}

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(oom) = &scene.now.oom else { return Vec::new() };
    let mut groups: BTreeMap<Place, Group> = BTreeMap::new();
    let mut add = |who, kind: Kind, lost_ns: u64, longest_ns, waits, now| {
        let place = place(scene, oom, kind, who);
        let words = if matches!(place, Place::High(_)) { "at memory.high" } else { words(kind) };
        let group = groups.entry(place).or_default();
        group.by_pid.entry(who.pid).or_insert((0, who)).0 += lost_ns;
        *group.by_kind.entry(words).or_default() += lost_ns;
        group.longest_ns = group.longest_ns.max(longest_ns);
        group.waits += waits;
        group.now += now;
    };
    for row in oom.reclaim.iter().filter(|row| !row.who.kernel_thread) {
        let latency = &row.latency;
        add(
            &row.who,
            row.kind,
            latency.total_ns.min(latency.count * scene.interval_ns()),
            latency.max_ns,
            latency.count,
            0,
        );
    }
    for row in oom.inside.iter().filter(|row| !row.who.kernel_thread) {
        let age_ns = row.age.as_nanos() as u64;
        add(&row.who, row.kind, age_ns.min(scene.interval_ns()), age_ns, 0, 1);
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
    let long = group.now > 0 && group.longest_ns >= LONG.as_nanos() as u64;
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
    evidence.push(of("longest".into(), Value::Nanoseconds(group.longest_ns)));
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
        unknown: vec!["who took the memory: it may be another process than the one that waits".into()],
        next: "stillwatch oom".into(),
        ..Finding::default()
    })
}
