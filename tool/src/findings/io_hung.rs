//! A disk that has requests and completes none of them.
//!
//! Holds when nothing was completed in the interval and the oldest request is older than 2 s: drivers give up after 30 s, and
//! nothing that works takes 2 s without completing anything else. Of requests older than the run the age is not known; then it
//! has to go on for a while.

use super::{
    Scene,
    device_saturated::disk_doubts,
    waits::{self, Wait, WholeDisk},
    words::{names, verb},
};
use crate::{format, snapshot::finding::Finding};

const RULE: &str = "io_hung";
const OLD_NS: u64 = 2_000_000_000;

pub fn look(scene: &Scene) -> Vec<Finding> {
    scene.disks.iter().filter_map(|disk| one(scene, disk)).collect()
}

pub fn is_hung(disk: &WholeDisk) -> bool {
    disk.ios == 0 && disk.in_flight > 0 && (disk.oldest_ns >= OLD_NS || disk.before_start > 0)
}

fn one(scene: &Scene, disk: &WholeDisk) -> Option<Finding> {
    if !is_hung(disk) {
        return None;
    }
    let waits: Vec<Wait> = scene.waits.iter().copied().filter(|wait| wait.disk() == Some(&disk.name)).collect();
    let (victims, lost_ns) = waits::victims(&waits);
    let age = match disk.oldest_ns {
        0 => "since before this run".to_owned(),
        ns => format!("for {}", format::duration(ns)),
    };
    let requests = format::plural(disk.in_flight, "request", "requests");
    let waiting = match victims.len() {
        0 => "no process waits for it in a way that shows".to_owned(),
        many => format!("{} {} for it", names(&victims), verb(many, "waits", "wait")),
    };
    Some(Finding {
        rule: RULE,
        subject: disk.name.clone(),
        statement: format!("{} has completed nothing {age}, with {requests} in flight; {waiting}", disk.name),
        // Whoever will want it next waits, too.
        harm: scene.share(lost_ns) + 1.0,
        evidence: disk.evidence(scene),
        victims,
        doubts: disk_doubts(disk),
        unknown: vec!["whether the device, its driver or what lies below it hangs: see the kernel's log".into()],
        next: "stillwatch io --stacks --kernel-threads".into(),
        at_once: disk.oldest_ns >= OLD_NS,
        ..Finding::default()
    })
}
