//! An accept queue that overflows, because its process does not accept connections fast enough.
//!
//! Holds at one dropped request per second: the client will wait a second and try again. Nobody is blamed for requests that are dropped
//! while the queue is not full.

use super::{Scene, harm, words::name};
use crate::{
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        tcp::{DropSite, Listener, Tcp},
    },
};

const RULE: &str = "accept_queue";
const DROPPED: f64 = 1.0;
const OVERFLOW: &str = "tcp listen overflow";

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let listeners = tcp.listeners.value().into_iter().flatten();
    listeners.filter(|row| scene.rate(row.dropped) >= DROPPED).map(|row| one(scene, tcp, row)).collect()
}

/// Packets to that port that were dropped.
fn drops<'a>(tcp: &'a Tcp, row: &Listener) -> impl Iterator<Item = &'a DropSite> + use<'a> {
    let own = (Some(row.local.port), row.netns);
    tcp.drops.iter().flatten().filter(move |site| (site.port, site.netns) == own)
}

/// At a reading, or between two by what the kernel counted.
fn was_full(tcp: &Tcp, row: &Listener) -> bool {
    let counted = row.netns.is_none() && tcp.network.get("listen_overflows").is_some_and(|&count| count > 0);
    row.full
        || counted
        || drops(tcp, row).any(|site| site.cause.reason.value().is_some_and(|reason| reason == OVERFLOW))
}

fn one(scene: &Scene, tcp: &Tcp, row: &Listener) -> Finding {
    let is_full = was_full(tcp, row);
    let (rate, local) = (format::rate(row.dropped, scene.now.interval), row.local);
    let queue = row.queue.unwrap_or_default();
    let waiting = format!("{queue} wait to be accepted (limit {})", row.limit);
    let half_open =
        row.half_open.filter(|&count| count > 0).map_or_else(String::new, |count| format!(", {count} are half open"));
    let who = name(&row.owners.who);
    let reasons = || {
        let reason = drops(tcp, row).find_map(|site| site.cause.reason.value());
        reason.map_or_else(String::new, |reason| format!("; most packets to this port that are dropped: {reason}"))
    };
    let statement = if is_full {
        format!("{who} does not accept at {local} fast enough: {rate}/s accept queue overflows, {waiting}")
    } else {
        format!(
            "{rate}/s requests for connections at {local} of {who} are dropped for another reason than a full queue: {waiting}{half_open}{}",
            reasons()
        )
    };
    let unknown = if is_full {
        "whether it is slow, or its backlog is small for the rate of requests"
    } else {
        "why they are dropped"
    };
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    Finding {
        rule: RULE,
        subject: local.to_string(),
        statement,
        // Those who lose time are on other hosts, or unknown here.
        harm: scene.rate(row.dropped) * harm::SYN,
        evidence: vec![
            of("requests dropped", Value::PerSecond(scene.rate(row.dropped))),
            of("connections that wait to be accepted", Value::Count(queue.into())),
            of("that may wait", Value::Count(row.limit.into())),
        ],
        culprits: if is_full { vec![row.owners.who.clone()] } else { Vec::new() },
        unknown: vec![unknown.into()],
        next: format!("stillwatch tcp --port {}", local.port),
        ..Finding::default()
    }
}
