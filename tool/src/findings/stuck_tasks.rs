//! Tasks that nothing can interrupt, waiting for long for something that is no disk: a frozen filesystem, a server of files, a lock.
//!
//! Holds when a wait goes on for 5 s, or since before the run. Waits for memory and for disks belong to other rules; those of calls
//! about files of a disk that has nothing to do are not for the disk, and belong here.

use std::collections::BTreeMap;

use super::{
    Scene,
    waits::{self, Class, Disk, Wait},
    words::{names, verb},
};
use crate::{
    escape::escape,
    format,
    snapshot::finding::{Evidence, Finding, Value},
};

const RULE: &str = "stuck_tasks";
const LONG_NS: u64 = 5_000_000_000;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Vec<Wait>> = BTreeMap::new();
    for wait in scene.waits.iter().copied().filter(|wait| is_about(wait, &scene.disks)) {
        groups.entry(wait.reason().cloned().unwrap_or_default()).or_default().push(wait);
    }
    groups.iter().map(|(reason, waits)| one(scene, reason, waits)).collect()
}

/// Whether this rule takes the wait.
pub fn is_about(wait: &Wait, disks: &[Disk]) -> bool {
    let is_busy = |name: &str| disks.iter().any(|disk| disk.name == name && !disk.is_idle());
    let is_ours = match wait.class {
        Class::Else => true,
        Class::Device => !wait.disk().is_some_and(is_busy),
        _ => false,
    };
    is_ours && is_stuck(wait)
}

fn is_stuck(wait: &Wait) -> bool {
    wait.row.now > 0 && (wait.row.before_start() || wait.row.age_ns().is_some_and(|now_ns| now_ns >= LONG_NS))
}

fn one(scene: &Scene, reason: &str, waits: &[Wait]) -> Finding {
    let (victims, lost_ns) = waits::victims(waits);
    let tasks: u64 = waits.iter().map(|wait| wait.row.now).sum();
    let before = waits.iter().any(|wait| wait.row.before_start());
    let oldest_ns = waits.iter().filter_map(|wait| wait.row.age_ns()).max();
    let for_what = match reason {
        "" => "something that is not known".to_owned(),
        reason => format!("\"{}\"", escape(reason)),
    };
    let more = waits::not_looked_at(waits).map_or_else(String::new, |more| format!("; {more}"));
    let long = match oldest_ns.filter(|_| !before) {
        Some(ns) => format!("for {}", format::duration(ns)),
        None => "since before this run".to_owned(),
    };
    let of = |what: &str, value| Evidence { probe: "io", what: what.into(), value };
    let longest = oldest_ns.map(|ns| of("longest wait", Value::Nanoseconds(ns)));
    Finding {
        rule: RULE,
        subject: reason.to_owned(),
        statement: format!("{} {} stuck {long} on {for_what}{more}", names(&victims), verb(victims.len(), "is", "are")),
        harm: scene.share(lost_ns),
        evidence: std::iter::once(of("tasks that wait", Value::Count(tasks))).chain(longest).collect(),
        victims,
        doubts: before.then(|| "it began before this run: for how long is not known".to_owned()).into_iter().collect(),
        unknown: vec!["who could let them go on".into()],
        next: "stillwatch io --stacks".into(),
        at_once: !before,
        ..Finding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::fixture::{disk, only, quiet, stalled},
        reasons::Kind,
        snapshot::{Snapshot, Who, io::Device},
    };

    /// One task that waits for so long, in a call about a file of that disk; the disk's rows.
    fn stuck(reason: &str, call: &str, devices: Vec<Device>) -> Snapshot {
        let mut snapshot = quiet();
        let wait = stalled(Who::default(), Some("sda"), call, reason, 0, 0);
        let wait = crate::snapshot::io::Stalled { now: 1, now_ns: Some(6_000_000_000).into(), ..wait };
        snapshot.io.iter_mut().for_each(|io| (io.stalled, io.devices) = (vec![wait.clone()].into(), devices.clone()));
        snapshot
    }

    #[test]
    fn a_disk_is_not_what_a_frozen_filesystem_waits_for() {
        for devices in [vec![], vec![disk("sda", 200_000, 30)]] {
            let finding = only(&stuck(Kind::FilesystemFrozen.words(), "write", devices));
            assert_eq!((finding.rule, finding.subject.as_str()), (RULE, "filesystem frozen"));
        }
    }

    #[test]
    fn a_disk_that_has_nothing_to_do_is_not_waited_for() {
        assert_eq!(only(&stuck("other: a_lock", "unlink", vec![])).rule, RULE);
        assert_eq!(only(&stuck("other: a_lock", "unlink", vec![disk("sda", 200_000, 30)])).rule, "held_back");
    }
}
