//! A process that does not close what the other side has closed.
//!
//! Holds at 64 connections that have been in `CLOSE_WAIT` for 30 s and have become more three times, ten seconds apart or more, and never
//! fewer in between; or at a thousand. A pool keeps some tens of those, of servers that were restarted or that end idle connections, until it uses
//! or tidies them: they come at once, or come and go.

use super::{
    Scene, harm,
    words::{name, netns},
};
use crate::{
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        tcp::Sockets,
    },
};

const RULE: &str = "close_wait";
pub const MANY: u64 = 64;
const RISES: u64 = 3;
const TOO_MANY: u64 = 1000;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(tcp) = &scene.now.tcp else { return Vec::new() };
    let rows = tcp.sockets.value().into_iter().flatten();
    rows.filter(|row| is_leak(row)).map(one).collect()
}

fn is_leak(row: &Sockets) -> bool {
    let rises = row.rises.is_some_and(|rises| rises >= RISES);
    row.lasting >= TOO_MANY || row.lasting >= MANY && rises
}

fn one(row: &Sockets) -> Finding {
    let (who, lasting) = (name(&row.who), format::count(row.lasting));
    let of = |what: &str, value| Evidence { probe: "tcp", what: what.into(), value };
    let mut evidence = vec![
        of("in CLOSE_WAIT", Value::Count(row.close_wait)),
        of("for 30s and more", Value::Count(row.lasting)),
        of("connections that are established", Value::Count(row.established)),
    ];
    evidence.extend(row.grew.map(|grew| of("more than when they were fewer", Value::Count(grew))));
    evidence.extend(row.age.map(|age| of("age of the oldest, at least", Value::Nanoseconds(age.as_nanos() as u64))));
    Finding {
        rule: RULE,
        subject: format!("{who}{}", netns(row.netns)),
        statement: format!(
            "{who} does not close {lasting} connections that the other side closed 30s ago and longer{}{}",
            grew(row),
            oldest(row)
        ),
        harm: harm::FILLING,
        evidence,
        culprits: vec![row.who.clone()],
        unknown: vec!["whether the other side only has nothing more to send, and still waits for an answer".into()],
        next: row.who.pid.map_or_else(|| "stillwatch tcp".to_owned(), |pid| format!("stillwatch tcp -p {pid}")),
        ..Finding::default()
    }
}

fn grew(row: &Sockets) -> String {
    match (row.grew.filter(|&grew| grew > 0), row.grew_in) {
        (Some(grew), Some(time)) => {
            format!(", {} more in {}", format::count(grew), format::duration(time.as_nanos() as u64))
        }
        _ => String::new(),
    }
}

fn oldest(row: &Sockets) -> String {
    row.oldest
        .as_ref()
        .map_or_else(String::new, |ends| format!("; the oldest {} → {}{}", ends.local, ends.remote, netns(row.netns)))
}
