//! Segments that are retransmitted to one remote, or from one interface to several.
//!
//! Holds when what is lost by it takes at least 0.2 s per second (a timeout per second), or when it is 20 segments per second and 1 %
//! of what these connections sent. A segment now and then is how TCP finds out what a path can carry.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Scene,
    dropped::{self, Here},
    harm,
    words::names,
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        tcp::{Ends, Flow, RetransmitKind, Tcp},
    },
};

const RULE: &str = "retransmits";
const LOST: f64 = 0.2;
const SEGMENTS: f64 = 20.0;
const SHARE: f64 = 0.01;
/// So many remotes at once have something in common, which is nearer.
const REMOTES: usize = 3;

/// Flows to one remote, or of one interface.
#[derive(Default)]
struct Group<'a> {
    flows: Vec<&'a Flow>,
    remotes: usize,
}

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let mut remotes: BTreeMap<(Option<u32>, IpAddr), Group> = BTreeMap::new();
    for flow in &tcp.flows {
        if let Some(ends) = &flow.ends {
            let group = remotes.entry((flow.netns, ends.remote.address)).or_default();
            group.flows.push(flow);
            group.remotes = 1;
        }
    }
    let (mut alone, mut near): (Vec<_>, BTreeMap<(Option<u32>, String), Group>) = (Vec::new(), BTreeMap::new());
    for ((netns, remote), group) in remotes {
        let Some(from) = group.flows.first().and_then(|flow| from(flow)) else { continue };
        let all = near.entry((netns, from)).or_default();
        all.flows.extend(&group.flows);
        all.remotes += 1;
        alone.push((netns, remote, group));
    }
    near.retain(|_, group| group.remotes >= REMOTES);
    let is_near = |group: &Group| {
        let first = group.flows.first();
        first.and_then(|flow| Some(near.contains_key(&(flow.netns, from(flow)?)))).unwrap_or(false)
    };
    let alone = alone.iter().filter(|(.., group)| !is_near(group));
    let mut findings: Vec<Finding> =
        alone.filter_map(|(_, remote, group)| one(scene, tcp, &format!("to {remote}"), group)).collect();
    findings.extend(near.iter().filter_map(|((_, from), group)| {
        one(scene, tcp, &format!("to {} remotes, all from {}", group.remotes, escape(from)), group)
    }));
    findings
}

/// The interface, or its address where the name is not known.
fn from(flow: &Flow) -> Option<String> {
    let local = flow.ends.as_ref()?.local;
    Some(flow.interface.clone().unwrap_or_else(|| local.address.to_string()))
}

/// What single events say of a group: seconds lost, and how many segments of each kind were sent.
fn told(scene: &Scene, tcp: &Tcp, group: &Group) -> (f64, Vec<(&'static str, u64)>) {
    let interval = scene.now.interval.as_secs_f64();
    let (mut lost, mut kinds) = (0.0, BTreeMap::new());
    let ends: BTreeSet<_> = group.flows.iter().filter_map(|flow| Some((flow.netns, flow.ends?))).collect();
    for event in &tcp.events.retransmits {
        if !ends.contains(&(event.netns, Ends { local: event.local, remote: event.remote })) {
            continue;
        }
        if event.failed.is_none() {
            *kinds.entry(event.kind.name()).or_default() += event.segments;
        }
        let waited = match event.kind {
            // The timer is doubled each time.
            RetransmitKind::Timeout => harm::TIMEOUT * f64::from(1 << event.backoff.min(10)),
            RetransmitKind::Syn | RetransmitKind::SynAck => harm::SYN * f64::from(1 << event.backoff.min(10)),
            _ => f64::from(event.srtt_us.unwrap_or(0)) / 1e6,
        };
        lost += waited.min(interval);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|&(_, segments)| Reverse(segments));
    (lost / interval.max(1e-3), kinds)
}

fn one(scene: &Scene, tcp: &Tcp, whereto: &str, group: &Group) -> Option<Finding> {
    let segments: u64 = group.flows.iter().map(|flow| flow.segments).sum();
    let sums = group.flows.iter().filter_map(|flow| flow.sent);
    let (sent, again) = sums.fold((0, 0), |(sent, again), flow| (sent + flow.segments, again + flow.again));
    let share = if sent > 0 { again as f64 / sent as f64 } else { 1.0 };
    let (lost, kinds) = told(scene, tcp, group);
    if lost < LOST && (scene.rate(segments) < SEGMENTS || share < SHARE) {
        return None;
    }
    let mut owners: BTreeMap<Option<u32>, (u64, &Who)> = BTreeMap::new();
    for flow in &group.flows {
        owners.entry(flow.owners.who.pid).or_insert((0, &flow.owners.who)).0 += flow.segments;
    }
    let mut owners: Vec<_> = owners.into_values().collect();
    owners.sort_by_key(|&(segments, _)| Reverse(segments));
    let victims: Vec<Who> = owners.iter().map(|(_, who)| (*who).clone()).collect();
    let sum = |of: fn(&Flow) -> u64| group.flows.iter().map(|flow| of(flow)).sum::<u64>();
    let (attempts, failed) = (sum(|flow| flow.attempts), sum(|flow| flow.failed));
    let kinds = kinds.iter().map(|(kind, segments)| format!("{} {kind}", format::count(*segments)));
    let of_sent =
        (segments > 0 && sent > 0).then(|| format!("{} of what was sent", format::fine_percent(100.0 * share)));
    let not_sent = (segments > 0 && failed > 0).then(|| format!("{} could not be sent", format::count(failed)));
    let details: Vec<String> = kinds.chain(not_sent).chain(of_sent).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    let tries = || format::plural(attempts, "retransmission", "retransmissions");
    let what = match segments {
        0 => format!("{} {whereto} could not be sent by this host", tries()),
        // Less than one per second as a count.
        _ if scene.rate(segments) < 1.0 => {
            let interval = format::interval(scene.now.interval);
            format!("{} retransmitted {whereto} in {interval}", format::plural(segments, "segment is", "segments are"))
        }
        _ => format!("{} segments/s are retransmitted {whereto}", format::rate(segments, scene.now.interval)),
    };
    let ends: BTreeSet<Ends> = group.flows.iter().filter_map(|flow| flow.ends).collect();
    let dropped = dropped::here(tcp, |event| {
        let is_between = |local, remote| ends.contains(&Ends { local, remote });
        is_between(event.from, event.to) || is_between(event.to, event.from)
    });
    let is_explained = segments == 0 || dropped.as_ref().is_some_and(|here| 2 * here.packets >= attempts);
    let where_lost = "where on the path they are lost, and whether it is not the answers that are".to_owned();
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    Some(Finding {
        rule: RULE,
        subject: whereto.to_owned(),
        statement: format!(
            "{what}{details}: {}{}",
            names(&victims),
            dropped.as_ref().map_or_else(String::new, |here| format!("; {}", here.words()))
        ),
        harm: lost,
        evidence: [
            of("segments retransmitted", Value::PerSecond(scene.rate(segments))),
            of("of what these connections sent since they began", Value::Percent(100.0 * share)),
            of("connections", Value::Count(group.flows.len() as u64)),
            of("on the whole host", Value::PerSecond(scene.rate(tcp.totals.segments))),
        ]
        .into_iter()
        .chain(dropped.as_ref().map(Here::evidence))
        .collect(),
        victims,
        doubts: sampled(tcp),
        unknown: if is_explained { Vec::new() } else { vec![where_lost] },
        next: "stillwatch tcp --by remote".into(),
        ..Finding::default()
    })
}

/// Events that are not listed.
pub fn sampled(tcp: &Tcp) -> Vec<String> {
    let sampled = tcp.totals.sampled;
    let words = || format!("{} not listed, only counted", format::plural(sampled, "event is", "events are"));
    (sampled > 0).then(words).into_iter().collect()
}
