//! Connections that are reset by the side that accepted them.
//!
//! Holds when at least one per second is, and that is a fifth of those that are opened to one remote, or accepted at one local end.
//! A client that resets what it opened is taken to be done with it (a health check, `SO_LINGER` 0): its resets are only counted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Scene, harm,
    retransmits::sampled,
    words::{list, name, names, netns},
};
use crate::{
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
        tcp::{Direction, End, Outcome, Reset, Tcp},
    },
};

const RULE: &str = "resets";
const RESETS: f64 = 1.0;
const SHARE: f64 = 0.2;

/// An address and port that connections are opened to.
type Service = (Option<u32>, End);

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let mut opened: BTreeMap<Service, u64> = BTreeMap::new();
    for remote in &tcp.remotes {
        *opened.entry((remote.netns, remote.end)).or_default() += remote.outcomes[Outcome::Established as usize];
    }
    let mut received: BTreeMap<Service, Vec<&Reset>> = BTreeMap::new();
    let mut sent: BTreeMap<Service, Vec<&Reset>> = BTreeMap::new();
    for event in tcp.events.resets.iter().filter(|event| is_of_connection(event)) {
        match event.direction {
            Direction::Received if opened.contains_key(&(event.netns, event.remote)) => {
                received.entry((event.netns, event.remote)).or_default().push(event);
            }
            Direction::Sent if !opened.contains_key(&(event.netns, event.remote)) => {
                sent.entry((event.netns, event.local)).or_default().push(event);
            }
            _ => {}
        }
    }
    let own = received.iter().filter_map(|(service, events)| one(scene, tcp, service, events, opened[service]));
    let mut findings: Vec<Finding> = own.collect();
    let told: BTreeSet<String> = findings.iter().map(|finding| finding.subject.clone()).collect();
    let of_clients = sent.iter().filter(|((_, end), _)| !told.contains(&end.to_string()));
    findings.extend(
        of_clients.filter_map(|(service, events)| one(scene, tcp, service, events, accepted(tcp, &opened, service)?)),
    );
    findings
}

/// Not one that is only asked for, that is over, or that who receives the reset has closed already.
fn is_of_connection(event: &Reset) -> bool {
    const OTHERS: &[&str] = &["listen", "time-wait", "new-syn-recv", "syn-sent", "syn-recv", "unknown"];
    event.state.as_ref().is_some_and(|state| match event.direction {
        Direction::Sent => !OTHERS.contains(&&**state),
        Direction::Received => ["established", "close-wait"].contains(&&**state),
    })
}

/// Those that were accepted at a local end: as many as this host opened to it, or at most all of our network namespace.
fn accepted(tcp: &Tcp, opened: &BTreeMap<Service, u64>, &(netns, local): &Service) -> Option<u64> {
    let here: u64 = opened.iter().filter(|((_, end), _)| *end == local).map(|(_, count)| count).sum();
    let all = tcp.network.get("passive_opens").filter(|_| netns.is_none()).copied();
    all.into_iter().chain(Some(here)).max().filter(|&most| most > 0)
}

/// Those whose events these are, the most first.
fn owners<'a>(events: impl Iterator<Item = &'a Reset>) -> Vec<Who> {
    let mut owners: BTreeMap<Option<u32>, (u64, &Who)> = BTreeMap::new();
    for event in events {
        owners.entry(event.owners.who.pid).or_insert((0, &event.owners.who)).0 += 1;
    }
    let mut owners: Vec<_> = owners.into_values().collect();
    owners.sort_by_key(|&(count, who)| (who.pid.is_none(), Reverse(count)));
    owners.into_iter().map(|(_, who)| who.clone()).collect()
}

fn one(scene: &Scene, tcp: &Tcp, service: &Service, events: &[&Reset], connections: u64) -> Option<Finding> {
    let direction = events.first()?.direction;
    // Of many only some are listed.
    let listed = tcp.events.resets.iter().filter(|event| event.direction == direction).count() as u64;
    let all = if tcp.filtered { listed } else { tcp.reset_totals[direction as usize].max(listed) };
    let resets = events.len() as u64 * all / listed.max(1);
    if scene.rate(resets) < RESETS || (resets as f64) < SHARE * connections as f64 {
        return None;
    }
    let &(number, end) = service;
    let is_answer = |event: &&Reset| {
        event.direction == Direction::Sent && event.local == end && events.iter().any(|own| own.local == event.remote)
    };
    let senders: Vec<&Reset> = match direction {
        Direction::Sent => events.to_vec(),
        Direction::Received => tcp.events.resets.iter().filter(is_answer).collect(),
    };
    let culprits = owners(senders.iter().copied());
    let victims = if direction == Direction::Received { owners(events.iter().copied()) } else { Vec::new() };
    let mut reasons: Vec<String> = senders.iter().filter_map(|event| event.reason.clone()).collect();
    reasons.sort();
    reasons.dedup();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", list(&reasons, 2)) };
    let rate = |count| format::rate(count, scene.now.interval);
    let whom = match &culprits[..] {
        [] => "the other side resets".to_owned(),
        [one] => format!("{} resets", name(one)),
        some => format!("{} reset", names(some)),
    };
    let (verb, whose) = match direction {
        Direction::Received => ("opened", format!(": {}", names(&victims))),
        Direction::Sent => ("accepted", String::new()),
    };
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    Some(Finding {
        rule: RULE,
        subject: end.to_string(),
        statement: format!(
            "{whom} {}/s connections to {end}{}{why}, of {}/s that are {verb}{whose}",
            rate(resets),
            netns(number),
            rate(connections)
        ),
        harm: scene.rate(resets) * harm::FAILED,
        evidence: vec![
            of("resets", Value::PerSecond(scene.rate(resets))),
            of(&format!("connections {verb}"), Value::PerSecond(scene.rate(connections))),
        ],
        unknown: if culprits.is_empty() {
            vec!["which process of the other side does so, and why".into()]
        } else {
            Vec::new()
        },
        victims,
        culprits,
        doubts: sampled(tcp),
        next: format!("stillwatch tcp --events --port {}", end.port),
        ..Finding::default()
    })
}
