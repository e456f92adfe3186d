//! An accept queue that overflows, because its process does not accept connections fast enough.
//!
//! Holds at one dropped request per second: the client will wait a second and try again.

use super::{Scene, harm, words::name};
use crate::{
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        tcp::Listener,
    },
};

const RULE: &str = "accept_queue";
const DROPPED: f64 = 1.0;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let listeners = tcp.listeners.value().into_iter().flatten();
    listeners.filter(|row| scene.rate(row.dropped) >= DROPPED).map(|row| one(scene, row)).collect()
}

fn one(scene: &Scene, row: &Listener) -> Finding {
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    Finding {
        rule: RULE,
        subject: row.local.to_string(),
        statement: format!(
            "{} does not accept at {} fast enough: {}/s accept queue overflows, {} wait to be accepted (limit {})",
            name(&row.owners.who),
            row.local,
            format::rate(row.dropped, scene.now.interval),
            row.queue,
            row.limit
        ),
        // Those who lose time are on other hosts, or unknown here.
        harm: scene.rate(row.dropped) * harm::SYN,
        evidence: vec![
            of("accept queue overflows", Value::PerSecond(scene.rate(row.dropped))),
            of("connections that wait to be accepted", Value::Count(row.queue.into())),
            of("that may wait", Value::Count(row.limit.into())),
        ],
        culprits: vec![row.owners.who.clone()],
        unknown: vec!["whether it is slow, or its backlog is small for the rate of requests".into()],
        next: format!("stillwatch tcp --port {}", row.local.port),
        ..Finding::default()
    }
}
