//! Processes that wait for what they wrote to be safe: fsync and its kin, the journal, flushes of a disk's cache.
//!
//! Holds when such waits of 10 ms and more take at least 0.3 s per second and are 50 ms long in the mean, or one of them 500 ms: an
//! fsync to a disk that turns takes some 20 ms. So much is enough if somebody else has the disk.

use std::collections::BTreeMap;

use super::{
    Scene,
    device_saturated::{Cause, disk_doubts},
    io_hung::is_hung,
    waits::{self, Class, Disk, Wait},
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
    },
};

const RULE: &str = "sync_stall";
const LOST: f64 = 0.3;
const MEAN_NS: u64 = 50_000_000;
const MEAN_BESIDE_NS: u64 = 20_000_000;
const LONG_NS: u64 = 500_000_000;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let disks = waits::disks(scene);
    let mut groups: BTreeMap<String, Vec<Wait>> = BTreeMap::new();
    for wait in waits::all(scene).filter(|wait| wait.class == Class::Sync) {
        groups.entry(wait.row.disk.clone().unwrap_or_default()).or_default().push(wait);
    }
    let of = |name: &str| disks.iter().find(|disk| disk.name == name);
    groups.iter().filter_map(|(disk, waits)| one(scene, disk, of(disk), waits)).collect()
}

fn one(scene: &Scene, name: &str, disk: Option<&Disk>, waits: &[Wait]) -> Option<Finding> {
    let (victims, lost_ns) = waits::victims(waits);
    let lost = scene.share(lost_ns);
    let (ended, total_ns) =
        waits.iter().fold((0, 0), |(ended, ns), wait| (ended + wait.row.waits, ns + wait.row.total_ns));
    let mean_ns = total_ns / ended.max(1);
    let longest_ns = waits::longest_ns(waits);
    let cause = disk.map(|disk| Cause::of(scene, &disk.name));
    let is_other = |who: &Who| !victims.iter().any(|victim| victim.pid == who.pid);
    let beside = cause.as_ref().is_some_and(|cause| cause.culprits.iter().any(is_other));
    let long = mean_ns >= if beside { MEAN_BESIDE_NS } else { MEAN_NS } || longest_ns >= LONG_NS;
    if lost < LOST || !long || disk.is_some_and(is_hung) {
        return None;
    }
    let on = if name.is_empty() { String::new() } else { format!(" on {}", escape(name)) };
    let longest = waits.iter().max_by_key(|wait| wait.lost_ns)?.row;
    let in_what = match (longest.syscall.value(), longest.reason.value()) {
        (Some(call), Some(reason)) => format!("{} ({})", escape(call), escape(reason)),
        (Some(one), None) | (None, Some(one)) => escape(one).into_owned(),
        (None, None) => "a sync".to_owned(),
    };
    let mut statement = format!(
        "{} {} {}{on} in {in_what}, at most {}",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns)),
        format::duration(longest_ns)
    );
    let mut evidence = vec![
        Evidence { probe: "io", what: format!("syncs{on} that ended"), value: Value::Count(ended) },
        Evidence { probe: "io", what: "their mean".into(), value: Value::Nanoseconds(mean_ns) },
        Evidence { probe: "io", what: "longest wait".into(), value: Value::Nanoseconds(longest_ns) },
    ];
    let (mut culprits, mut unknown, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    match disk.zip(cause) {
        Some((disk, cause)) => {
            statement += &format!("; {}", cause.words);
            evidence.extend(disk.evidence(scene));
            evidence.extend(cause.evidence);
            (culprits, unknown, doubts) = (cause.culprits, cause.unknown, disk_doubts(disk));
        }
        None => unknown.push("which device it is for, and so who else uses it".into()),
    }
    let next = match name {
        "" => "stillwatch io --stacks".to_owned(),
        name => format!("stillwatch io -d {name} --blame --stacks"),
    };
    let subject = name.to_owned();
    Some(Finding {
        rule: RULE,
        subject,
        statement,
        harm: lost,
        evidence,
        victims,
        culprits,
        doubts,
        unknown,
        next,
        ..Finding::default()
    })
}
