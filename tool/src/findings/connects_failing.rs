//! Connections to one remote that do not come about.
//!
//! Holds when at least one per second fails, and that is a fifth of those that are tried. A client that tries two addresses and takes
//! the first answer gives the other up: as many as were established to another remote of the same port are not counted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Scene,
    dropped::{self, Here},
    harm,
    retransmits::sampled,
    words::{list, name},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        tcp::{Connect, End, Outcome, Remote, Tcp},
    },
};

const RULE: &str = "connects_failing";
const FAILED: f64 = 1.0;
const SHARE: f64 = 0.2;
/// Given up sooner than this, it may be one of two that were tried.
const PATIENT_NS: u64 = 500_000_000;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let mut established = BTreeMap::new();
    for remote in &tcp.remotes {
        *established.entry((remote.netns, remote.end.port)).or_default() +=
            remote.outcomes[Outcome::Established as usize];
    }
    tcp.remotes.iter().filter_map(|remote| one(scene, tcp, remote, &mut established)).collect()
}

fn words(outcome: Outcome, by_firewall: bool) -> &'static str {
    match outcome {
        Outcome::Established => "established",
        Outcome::Refused if by_firewall => "refused",
        Outcome::Refused => "refused, nobody listens there",
        Outcome::TimedOut => "without an answer",
        Outcome::Unreachable => "unreachable",
        Outcome::NoPort => "without a free local port",
        Outcome::NotSent => "not sent",
        Outcome::GivenUp => "given up before they were established",
        Outcome::Other => "for another reason",
    }
}

/// `established`: by network namespace and port, those that no connection that was given up was excused by.
fn one(
    scene: &Scene,
    tcp: &Tcp,
    remote: &Remote,
    established: &mut BTreeMap<(Option<u32>, u16), u64>,
) -> Option<Finding> {
    let is_hasty = |connect: &&Connect| {
        let soon = connect.waited.is_some_and(|waited| waited.as_nanos() < PATIENT_NS.into());
        connect.outcome == Outcome::GivenUp && soon
    };
    let here = |connect: &&Connect| connect.remote == remote.end && connect.netns == remote.netns;
    let failed = tcp.events.connects.iter().filter(here).filter(|connect| connect.outcome != Outcome::Established);
    let (hasty, mut own): (Vec<&Connect>, Vec<&Connect>) = failed.partition(is_hasty);
    let mut outcomes = remote.outcomes.clone();
    let left = established.entry((remote.netns, remote.end.port)).or_default();
    let excused = left.saturating_sub(outcomes[Outcome::Established as usize]).min(hasty.len() as u64);
    *left -= excused;
    own.extend(&hasty[excused as usize..]);
    outcomes[Outcome::GivenUp as usize] = outcomes[Outcome::GivenUp as usize].saturating_sub(excused);
    let all: u64 = outcomes.iter().sum();
    let failed = all - outcomes[Outcome::Established as usize];
    if scene.rate(failed) < FAILED || (failed as f64) < SHARE * all as f64 {
        return None;
    }
    let mut kinds: Vec<(u64, Outcome)> = Outcome::ALL
        .into_iter()
        .map(|outcome| (outcomes[outcome as usize], outcome))
        .skip(1)
        .filter(|&(count, _)| count > 0)
        .collect();
    kinds.sort_by_key(|&(count, _)| Reverse(count));
    let mut callers: BTreeMap<Option<u32>, (u64, &Who)> = BTreeMap::new();
    for connect in &own {
        callers.entry(connect.who.pid).or_insert((0, &connect.who)).0 += 1;
    }
    let mut callers: Vec<_> = callers.into_values().collect();
    callers.sort_by_key(|&(count, _)| Reverse(count));
    let victims: Vec<Who> = callers.into_iter().map(|(_, who)| who.clone()).collect();
    let waited: f64 = own.iter().filter_map(|connect| connect.waited).map(|waited| waited.as_secs_f64()).sum();
    let who = match &victims[..] {
        [] => "whose they are is not known".to_owned(),
        some => list(&some.iter().map(name).collect::<Vec<_>>(), 2),
    };
    let from: BTreeSet<IpAddr> = own.iter().map(|connect| connect.local.address).collect();
    let dropped = dropped::here(tcp, |event| {
        let is_between = |here: End, there: End| there == remote.end && from.contains(&here.address);
        is_between(event.from, event.to) || is_between(event.to, event.from)
    });
    let words = |outcome| words(outcome, dropped.is_some());
    let what: Vec<String> =
        kinds.iter().map(|&(count, outcome)| format!("{} {}", format::count(count), words(outcome))).collect();
    let of = |what: String, value| Evidence { probe: "tcp", what, value };
    let mut evidence: Vec<Evidence> =
        kinds.iter().map(|&(count, outcome)| of(words(outcome).to_owned(), Value::Count(count))).collect();
    evidence.push(of("established".into(), Value::Count(outcomes[Outcome::Established as usize])));
    evidence.extend(dropped.as_ref().map(Here::evidence));
    let dropped = dropped.map_or_else(String::new, |here| format!("; {}", here.words()));
    let end = remote.group.as_ref().map_or_else(|| remote.end.to_string(), |group| escape(group).into_owned());
    Some(Finding {
        rule: RULE,
        statement: format!(
            "{} of {} connections to {end} failed ({}): {who}{dropped}",
            format::count(failed),
            format::count(all),
            what.join(", ")
        ),
        subject: end,
        harm: scene.rate(failed) * harm::FAILED + waited / scene.now.interval.as_secs_f64().max(1e-3),
        evidence,
        unknown: if victims.is_empty() { vec!["which process wanted them".into()] } else { Vec::new() },
        victims,
        doubts: sampled(tcp),
        next: format!("stillwatch tcp --port {}", remote.end.port),
        ..Finding::default()
    })
}
