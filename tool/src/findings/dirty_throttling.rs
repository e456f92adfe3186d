//! Writers that the kernel makes wait because there are too many pages that are not written out yet.
//!
//! Holds when it takes at least 0.3 s per second. It is how the kernel holds writers to the speed of a disk: the finding says whom,
//! and who it was that wrote so much.

use super::{
    Scene,
    device_saturated::Culprits,
    waits::{self, Class, Longest, Wait},
    words::{each_second, names, verb},
};
use crate::{format, snapshot::finding::Finding};

const RULE: &str = "dirty_throttling";
const LOST: f64 = 0.3;
/// Requests that a disk has at a time at least, if it is why.
const BUSY: f64 = 0.9;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let waits: Vec<Wait> = scene.waits.iter().copied().filter(|wait| wait.class == Class::Dirty).collect();
    let (victims, lost_ns) = waits::victims(&waits);
    let lost = scene.share(lost_ns);
    if lost < LOST {
        return Vec::new();
    }
    // The kernel does not say for which disk. The one whose requests take the most time is likely, whether it moves much or not:
    // a slow disk is why pages stay dirty. One that has pauses is not why.
    let disk = scene.disks.iter().max_by_key(|disk| disk.time_ns()).filter(|disk| scene.share(disk.time_ns()) >= BUSY);
    let mut evidence: Vec<_> = Longest::of(&waits).evidence("longest pause").into_iter().collect();
    let (mut culprits, mut unknown, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    let mut statement = format!(
        "{} {} {} because too many pages are dirty",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns)),
    );
    if let Some(disk) = &disk {
        let cause = Culprits::of(scene, &disk.name, &[]);
        let rate = format::mebibytes_rate(disk.bytes, scene.now.interval);
        statement += &format!("; {} moves {rate} MiB/s, {}", disk.name, cause.words);
        evidence.extend(disk.evidence(scene));
        evidence.extend(cause.evidence);
        (culprits, unknown, doubts) = (cause.culprits, cause.unknown, cause.doubts);
    } else {
        unknown.push(
            "what holds them back: no disk has a request all the time, so that it may be a limit of their cgroup"
                .into(),
        );
    }
    vec![Finding {
        rule: RULE,
        statement,
        harm: lost,
        evidence,
        victims,
        culprits,
        doubts,
        unknown,
        next: "stillwatch io --blame".into(),
        ..Finding::default()
    }]
}
