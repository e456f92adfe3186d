//! Time that processes lose and that no other rule has a word for: a wait whose reason is not known, or many small ones.
//!
//! Holds when such waits of 10 ms and more take at least 0.5 s per second. Those for a disk, for memory or for a CPU that are within
//! what is usual there are not: their area is not ruled out then, and that is where they are told.

use super::{Scene, words::each_second};
use crate::{
    escape::escape,
    format,
    snapshot::{
        finding::{Evidence, Finding, Value},
        ledger::{Entry, For},
    },
};

const RULE: &str = "unexplained";
const LOST: f64 = 0.5;
/// Told by name.
const SHOWN: usize = 3;

pub fn look(scene: &Scene, ledger: &[Entry]) -> Option<Finding> {
    let unknown =
        |row: &&Entry| row.rule.is_none() && matches!(row.what, For::NotKnown | For::Call | For::Lock | For::Kernel);
    let rows: Vec<&Entry> = ledger.iter().filter(unknown).collect();
    let lost_ns: u64 = rows.iter().map(|row| row.lost_ns).sum();
    let lost = scene.share(lost_ns);
    if lost < LOST {
        return None;
    }
    let processes: u64 = rows.iter().map(|row| row.processes).sum();
    let on = |row: &&&Entry| format!("{} {}", escape(&row.on), each_second(scene.ns_rate(row.lost_ns)));
    let told: Vec<String> = rows.iter().filter(|row| !row.on.is_empty()).take(SHOWN).map(|row| on(&row)).collect();
    let within = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    let of = |row: &&Entry| Evidence {
        probe: if row.what == For::Call { "syscalls" } else { "io" },
        what: format!("waits in {}", if row.on.is_empty() { "something that is not known" } else { &row.on }),
        value: Value::NanosecondsPerSecond(scene.ns_rate(row.lost_ns)),
    };
    Some(Finding {
        rule: RULE,
        statement: format!(
            "unexplained: {} lost in waits of {}{within}",
            each_second(scene.ns_rate(lost_ns)),
            format::plural(processes, "process", "processes"),
        ),
        harm: lost,
        evidence: rows.iter().take(SHOWN).map(of).collect(),
        unknown: vec!["what they wait for".into()],
        next: "stillwatch io --stacks".into(),
        ..Finding::default()
    })
}
