//! Waits for a disk that last much longer than its requests: something before it holds them back, and not who uses it.
//!
//! Holds when such waits, 50 ms and longer, take at least 0.3 s per second: they are more than twice as long as all that the disk can
//! have had to do with them, or the stack says that the I/O controller makes them wait. The limit of the cgroup is named where there is
//! one.

use std::collections::BTreeMap;

use super::{
    Scene,
    io_hung::is_hung,
    stuck_tasks,
    waits::{self, Longest, Wait, WholeDisk},
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
    format,
    snapshot::finding::{Evidence, Finding, Value},
};

const RULE: &str = "held_back";
const LOST: f64 = 0.3;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let of = |name: &str| scene.disks.iter().find(|disk| disk.name == name);
    let mut groups: BTreeMap<String, Vec<Wait>> = BTreeMap::new();
    for wait in scene.waits.iter().copied().filter(|wait| !stuck_tasks::is_about(wait, &scene.disks)) {
        let disk = wait.disk().and_then(of);
        if waits::is_held_back(&wait, disk) && !disk.is_some_and(is_hung) {
            groups.entry(wait.disk().unwrap_or_default().to_owned()).or_default().push(wait);
        }
    }
    groups.iter().filter_map(|(name, waits)| one(scene, name, of(name), waits)).collect()
}

fn one(scene: &Scene, name: &str, disk: Option<&WholeDisk>, waits: &[Wait]) -> Option<Finding> {
    let (victims, lost_ns) = waits::victims(waits);
    let lost = scene.share(lost_ns);
    if lost < LOST {
        return None;
    }
    let most = waits.iter().max_by_key(|wait| wait.lost_ns)?;
    let before = if name.is_empty() { "a disk".to_owned() } else { escape(name).into_owned() };
    let longest = Longest::of(waits);
    let meanwhile = match disk.filter(|disk| disk.total.count > 0) {
        Some(disk) => format!(", whose requests take at most {}", format::duration(disk.total.max_ns)),
        None => String::new(),
    };
    let reason = most.reason().map_or_else(String::new, |reason| format!(" ({})", escape(reason)));
    let limit = waits.iter().find_map(|wait| wait.row.io_limit.as_deref());
    let by = limit.map_or_else(String::new, |limit| format!("; its cgroup has a limit: {}", escape(limit)));
    let mut evidence: Vec<Evidence> = longest.evidence("longest wait").into_iter().collect();
    evidence.push(Evidence {
        probe: "io",
        what: "time held back".into(),
        value: Value::NanosecondsPerSecond(scene.ns_rate(lost_ns)),
    });
    evidence.extend(disk.into_iter().flat_map(|disk| disk.evidence(scene)));
    Some(Finding {
        rule: RULE,
        subject: name.to_owned(),
        statement: format!(
            "{} {} held back before {before}{meanwhile}: {}{reason}, {}{by}",
            names(&victims),
            verb(victims.len(), "is", "are"),
            each_second(scene.ns_rate(lost_ns)),
            longest.words(),
        ),
        harm: lost,
        evidence,
        victims,
        doubts: waits::not_looked_at(waits).into_iter().collect(),
        unknown: match limit {
            Some(_) => Vec::new(),
            None => vec!["what holds them back: their cgroups have no limit for this disk that could be read".into()],
        },
        next: match name {
            "" => "stillwatch io --stacks".to_owned(),
            name => format!("stillwatch io -d {name} --blame --stacks"),
        },
        ..Finding::default()
    })
}
