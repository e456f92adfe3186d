//! Processes that wait for memory: they free it themselves, compact it, read it back from swap, or are slowed down at a limit.
//!
//! Holds when it takes at least 0.1 s per second, or a wait goes on for a second. A host that is well does not wait for memory: the
//! kernel's own thread frees it in time. Waits in a cgroup that is at its limit are that cgroup's finding.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{
    Scene,
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        oom::{Kind, Oom},
    },
};

const RULE: &str = "memory_stall";
const LOST: f64 = 0.1;
const LONG: Duration = Duration::from_secs(1);

/// Waits of one cgroup at its limit, or of the host.
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
    let mut groups: BTreeMap<Option<String>, Group> = BTreeMap::new();
    let mut add = |who, kind: Kind, lost_ns: u64, longest_ns, waits, now| {
        let limited = (kind == Kind::Memcg).then(|| at_limit(oom, who)).flatten();
        let group = groups.entry(limited).or_default();
        group.by_pid.entry(who.pid).or_insert((0, who)).0 += lost_ns;
        *group.by_kind.entry(words(kind)).or_default() += lost_ns;
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
    groups.into_iter().filter_map(|(cgroup, group)| one(scene, oom, cgroup, group)).collect()
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

fn one(scene: &Scene, oom: &Oom, cgroup: Option<String>, group: Group) -> Option<Finding> {
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
    let memory = &oom.memory;
    let state =
        match cgroup.as_ref().and_then(|path| oom.limits.iter().find(|limit| limit.cgroup.as_ref() == Some(path))) {
            Some(limit) => format!(
                "{} uses {} of {}",
                escape(limit.cgroup.as_deref().unwrap_or_default()),
                format::bytes(limit.usage_bytes),
                limit.limit_bytes.map_or_else(|| "?".to_owned(), format::bytes)
            ),
            None => format!("{} of {} available", format::bytes(memory.available), format::bytes(memory.total)),
        };
    let of = |what: String, value| Evidence { probe: "oom", what, value };
    let mut evidence: Vec<_> = kinds
        .iter()
        .map(|(kind, ns)| of(format!("waits {kind}"), Value::NanosecondsPerSecond(scene.ns_rate(*ns))))
        .collect();
    evidence.push(of("waits that ended".into(), Value::Count(group.waits)));
    evidence.push(of("tasks that wait".into(), Value::Count(group.now)));
    evidence.push(of("longest".into(), Value::Nanoseconds(group.longest_ns)));
    evidence.push(of("memory available".into(), Value::Bytes(memory.available)));
    Some(Finding {
        rule: RULE,
        statement: format!(
            "{} {} {} for memory, mainly {mainly}; {state}",
            names(&victims),
            verb(victims.len(), "waits", "wait"),
            each_second(scene.ns_rate(lost_ns)),
        ),
        subject: cgroup.unwrap_or_default(),
        harm: lost,
        evidence,
        victims,
        unknown: vec!["who took the memory: it may be another process than the one that waits".into()],
        next: "stillwatch oom".into(),
        ..Finding::default()
    })
}
