//! Ports that the kernel gives to who connects, of one address and for one remote, that are nearly all in use: `connect` then fails.
//!
//! Holds at nine tenths. A port is free for another remote, so that each remote counts by itself; those in TIME-WAIT that the kernel gives to
//! a new connection (`net.ipv4.tcp_tw_reuse`) do not count.

use super::{Scene, harm, words::netns};
use crate::{
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        tcp::Ports,
    },
};

const RULE: &str = "ports_used_up";
const NEAR: f64 = 0.9;
const ASSUMED: &str = "the range of ports of that network namespace is taken to be the kernel's own";

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    tcp.ports.iter().filter(|row| row.used_share >= NEAR).map(one).collect()
}

fn one(row: &Ports) -> Finding {
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    let waits = match row.time_wait {
        0 => String::new(),
        count => format!(", {} of them in TIME-WAIT", format::count(count)),
    };
    let pair = format!("{} to {}{}", row.address, row.remote, netns(row.netns));
    Finding {
        rule: RULE,
        statement: format!(
            "connections from {pair} use {} of the {} ports that there are for them{waits}",
            format::count(row.used),
            format::count(row.range)
        ),
        subject: pair,
        harm: harm::FILLING,
        evidence: vec![
            of("ports in use", Value::Count(row.used)),
            of("of these in TIME-WAIT", Value::Count(row.time_wait)),
            of("that there are", Value::Count(row.range)),
        ],
        doubts: row.assumed.then(|| ASSUMED.to_owned()).into_iter().collect(),
        unknown: vec!["whose connections they were".into()],
        next: format!("stillwatch tcp --address {}", row.remote.address),
        ..Finding::default()
    }
}
