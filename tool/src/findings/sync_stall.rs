//! Processes that wait for what they wrote to be safe: fsync and its kin, the journal, flushes of a disk's cache.
//!
//! Holds when such waits of 10 ms and more take at least 0.3 s per second and are 50 ms long in the mean, or one of them 500 ms: an
//! fsync to a disk that turns takes some 20 ms. So much is enough if somebody else has the disk. One that began before the run has taken
//! half a second at the first look: it is told at once.

use std::collections::BTreeMap;

use super::{
    Scene,
    device_saturated::{Culprits, disk_doubts},
    io_hung::is_hung,
    waits::{self, Class, Longest, Wait, WholeDisk},
    words::{each_second, names, verb},
};
use crate::{
    escape::escape,
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
    let mut groups: BTreeMap<String, Vec<Wait>> = BTreeMap::new();
    for wait in scene.waits.iter().copied().filter(|wait| wait.class == Class::Sync) {
        groups.entry(wait.disk().unwrap_or_default().to_owned()).or_default().push(wait);
    }
    let of = |name: &str| scene.disks.iter().find(|disk| disk.name == name);
    groups.iter().filter_map(|(disk, waits)| one(scene, disk, of(disk), waits)).collect()
}

fn one(scene: &Scene, name: &str, disk: Option<&WholeDisk>, waits: &[Wait]) -> Option<Finding> {
    let (victims, lost_ns) = waits::victims(waits);
    let lost = scene.share(lost_ns);
    let (ended, total_ns) =
        waits.iter().fold((0, 0), |(ended, ns), wait| (ended + wait.row.waits, ns + wait.row.total_ns));
    let mean_ns = total_ns.checked_div(ended);
    let longest = Longest::of(waits);
    let cause = (!name.is_empty()).then(|| Culprits::of(scene, name, &victims));
    let is_other = |who: &Who| !victims.iter().any(|victim| victim.pid == who.pid);
    let beside = cause.as_ref().is_some_and(|cause| cause.culprits.iter().any(is_other));
    let long = mean_ns.is_some_and(|mean_ns| mean_ns >= if beside { MEAN_BESIDE_NS } else { MEAN_NS });
    if lost < LOST || !(long || longest.ns >= LONG_NS || longest.before_start) || disk.is_some_and(is_hung) {
        return None;
    }
    let on = if name.is_empty() { String::new() } else { format!(" on {}", escape(name)) };
    let most = waits.iter().max_by_key(|wait| wait.lost_ns)?.row;
    let in_what = match (most.syscall.value(), most.reason.value()) {
        (Some(call), Some(reason)) => format!("{} ({})", escape(call), escape(reason)),
        (Some(one), None) | (None, Some(one)) => escape(one).into_owned(),
        (None, None) => "a sync".to_owned(),
    };
    let mut statement = format!(
        "{} {} {}{on} in {in_what}, {}",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns)),
        longest.words()
    );
    let of = |what: String, value| Evidence { probe: "io", what, value };
    let mut evidence = vec![of(format!("syncs{on} that ended"), Value::Count(ended))];
    evidence.extend(mean_ns.map(|ns| of("their mean".into(), Value::Nanoseconds(ns))));
    evidence.extend(longest.evidence("longest wait"));
    evidence.extend(disk.into_iter().flat_map(|disk| disk.evidence(scene)));
    let mut doubts: Vec<String> = disk.into_iter().flat_map(disk_doubts).collect();
    let (mut culprits, mut unknown) = (Vec::new(), Vec::new());
    doubts.extend(waits::not_looked_at(waits));
    let mut next = "stillwatch io --stacks".to_owned();
    match (cause, disk) {
        (None, _) => unknown.push("which device it is for, and so who else uses it".into()),
        (Some(_), None) => {
            statement += "; it completes nothing, and has no request in flight that is seen";
            unknown.push("what it does: the kernel does not count flushes among what is in flight".into());
        }
        (Some(cause), Some(_)) => {
            statement += &format!("; {}", cause.words);
            evidence.extend(cause.evidence);
            doubts.extend(cause.doubts);
            (culprits, unknown) = (cause.culprits, cause.unknown);
            next = format!("stillwatch io -d {} --blame --stacks", cause.disk);
        }
    }
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
        at_once: longest.before_start,
    })
}
