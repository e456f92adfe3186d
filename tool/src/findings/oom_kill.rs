//! The kernel killed a process for want of memory; again and again, maybe.
//!
//! Holds for half a minute after a kill, by the memory that had run out: a cgroup's or the host's.

use std::{collections::BTreeMap, time::Duration};

use super::{Scene, harm, words::name};
use crate::{
    escape::escape,
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        oom::{Kill, Scope},
    },
};

const RULE: &str = "oom_kill";
const OPEN: Duration = Duration::from_secs(30);

pub fn look(scene: &Scene) -> Vec<Finding> {
    let mut scopes: BTreeMap<String, Vec<&Kill>> = BTreeMap::new();
    for kill in scene.kills.iter().filter(|kill| !kill.already_ending) {
        let scope = kill.scope.as_ref().ok().and_then(|scope| scope.cgroup.clone()).unwrap_or_default();
        scopes.entry(scope).or_default().push(kill);
    }
    scopes.retain(|_, kills| kills.last().is_some_and(|kill| scene.since(kill.at) <= OPEN));
    scopes.iter().filter_map(|(scope, kills)| one(scene, scope, kills)).collect()
}

fn one(scene: &Scene, scope: &str, kills: &[&Kill]) -> Option<Finding> {
    let (first, last) = (kills.first()?, kills.last()?);
    let (in_what, limit) = match &last.scope {
        Ok(Scope { cgroup: Some(cgroup), limit, .. }) => {
            let bytes = limit.as_ref().and_then(|limit| limit.limit_bytes);
            (format!("{} was at its limit", escape(cgroup)), bytes)
        }
        Ok(_) => ("the host had none left".to_owned(), None),
        Err(why) => (format!("where it was short is not known ({why})"), None),
    };
    let limit_words = limit.map_or_else(String::new, |bytes| format!(" of {}", format::bytes(bytes)));
    let rss = last.victim.memory.map(|memory| memory.rss());
    let held = rss.map_or_else(String::new, |bytes| format!(" ({} resident)", format::bytes(bytes)));
    let span = last.at.duration_since(first.at).unsigned_abs();
    let again = match kills.len() {
        1 => String::new(),
        many => format!("{many} kills in {}, the last: ", format::duration(span.as_nanos() as u64)),
    };
    let of = |what: &str, value| Evidence { probe: "oom", what: what.into(), value };
    let mut evidence = vec![of("kills", Value::Count(kills.len() as u64))];
    evidence.extend(rss.map(|bytes| of("resident memory of the victim", Value::Bytes(bytes))));
    evidence.extend(limit.map(|bytes| of("limit", Value::Bytes(bytes))));
    evidence.push(of("since the last", Value::Nanoseconds(scene.since(last.at).as_nanos() as u64)));
    let asked = last.report.as_ref().is_none().then(|| {
        let why = last.report_unknown.as_deref().unwrap_or("not found");
        format!("what the kernel's log says of it: {}", escape(why))
    });
    Some(Finding {
        rule: RULE,
        subject: scope.to_owned(),
        statement: format!(
            "{again}the kernel killed {}{held} for want of memory: {in_what}{limit_words}; {} needed some",
            name(&last.victim.who),
            name(&last.trigger)
        ),
        harm: harm::KILLED * kills.len() as f64,
        evidence,
        victims: kills.iter().rev().map(|kill| kill.victim.who.clone()).collect(),
        // Whoever needs memory when there is none is not to blame for it.
        culprits: Vec::new(),
        doubts: Vec::new(),
        unknown: asked.into_iter().collect(),
        next: "stillwatch oom --last".into(),
        at_once: true,
    })
}
