//! Writers that the kernel makes wait because there are too many pages that are not written out yet.
//!
//! Holds when it takes at least 0.3 s per second. It is how the kernel holds writers to the speed of a disk: the finding says whom,
//! and who it was that wrote so much.

use super::{
    Scene,
    device_saturated::Cause,
    waits::{self, Class, Disk, Wait},
    words::{each_second, names, verb},
};
use crate::{
    format,
    snapshot::finding::{Evidence, Finding, Value},
};

const RULE: &str = "dirty_throttling";
const LOST: f64 = 0.3;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let waits: Vec<Wait> = waits::all(scene).filter(|wait| wait.class == Class::Dirty).collect();
    let (victims, lost_ns) = waits::victims(&waits);
    let lost = scene.share(lost_ns);
    if lost < LOST {
        return Vec::new();
    }
    // The kernel does not say for which disk. The one whose requests take the most time is likely, whether it moves much or not:
    // a slow disk is why pages stay dirty.
    let time_of = |disk: &Disk| disk.total.total_ns.saturating_add(disk.oldest_ns);
    let disk = waits::disks(scene).into_iter().max_by_key(time_of).filter(|disk| disk.bytes > 0 || disk.in_flight > 0);
    let mut evidence = vec![Evidence {
        probe: "io",
        what: "longest pause".into(),
        value: Value::Nanoseconds(waits::longest_ns(&waits)),
    }];
    let (mut culprits, mut unknown) = (Vec::new(), Vec::new());
    let mut statement = format!(
        "{} {} {} because too many pages are dirty",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns)),
    );
    if let Some(disk) = &disk {
        let cause = Cause::of(scene, &disk.name);
        let rate = format::mebibytes_rate(disk.bytes, scene.now.interval);
        statement += &format!("; {} moves {rate} MiB/s, {}", disk.name, cause.words);
        evidence.extend(disk.evidence(scene));
        evidence.extend(cause.evidence);
        (culprits, unknown) = (cause.culprits, cause.unknown);
    } else {
        unknown.push("which device is too slow for them: none had a request".into());
    }
    vec![Finding {
        rule: RULE,
        statement,
        harm: lost,
        evidence,
        victims,
        culprits,
        unknown,
        next: "stillwatch io --blame".into(),
        ..Finding::default()
    }]
}
