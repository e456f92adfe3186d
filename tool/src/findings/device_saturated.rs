//! A disk on which processes wait for long, while it does work: for whom it works, and who waits.
//!
//! A process that reads one block after the other waits all the time and is well; it is not when each wait is long. Holds when
//! waits of 10 ms and more take at least 0.3 s per second, and the disk itself is slow: 50 ms at the 99th percentile, or 20 ms in
//! the mean. Those who wait for data to be safe belong to `sync_stall`.

use super::{
    Scene,
    waits::{self, Class, Disk, Part, Wait},
    words::{each_second, list, name, names, verb},
};
use crate::{
    format,
    snapshot::{
        Who,
        finding::{Evidence, Finding, Value},
    },
};

const RULE: &str = "device_saturated";
const LOST: f64 = 0.3;
pub const SLOW_P99_NS: u64 = 50_000_000;
const SLOW_MEAN_NS: u64 = 20_000_000;
/// An owner with less of the disk's time is not the cause.
const CULPRIT: f64 = 0.2;
/// Requests that a disk must have at a time to be called saturated, rather than slow.
const DEPTH: f64 = 2.0;

pub fn look(scene: &Scene) -> Vec<Finding> {
    waits::disks(scene).iter().filter_map(|disk| one(scene, disk)).collect()
}

fn one(scene: &Scene, disk: &Disk) -> Option<Finding> {
    let on_it = |wait: &Wait| wait.class == Class::Device && wait.row.disk.as_deref() == Some(disk.name.as_str());
    let waits: Vec<Wait> = waits::all(scene).filter(on_it).collect();
    let (victims, lost_ns) = waits::victims(&waits);
    let lost = scene.share(lost_ns);
    let slow = disk.total.p99_ns >= SLOW_P99_NS || disk.mean_ns() >= SLOW_MEAN_NS;
    if lost < LOST || disk.ios == 0 || !slow {
        return None;
    }
    let depth = disk.depth(scene);
    let what = if depth >= DEPTH {
        format!("is saturated, {depth:.0} requests at a time")
    } else {
        format!("is slow, {} a request", format::duration(disk.mean_ns()))
    };
    let waiting = format!(
        "{} {} {} for it",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns))
    );
    let cause = Cause::of(scene, &disk.name);
    let mut evidence = disk.evidence(scene);
    evidence.push(Evidence {
        probe: "io",
        what: "longest wait".into(),
        value: Value::Nanoseconds(waits::longest_ns(&waits)),
    });
    evidence.extend(cause.evidence);
    Some(Finding {
        rule: RULE,
        subject: disk.name.clone(),
        statement: format!("{} {what}: {waiting}; {}", disk.name, cause.words),
        harm: lost,
        evidence,
        victims,
        culprits: cause.culprits,
        doubts: disk_doubts(disk),
        unknown: cause.unknown,
        next: format!("stillwatch io -d {} --blame", disk.name),
        ..Finding::default()
    })
}

pub fn disk_doubts(disk: &Disk) -> Vec<String> {
    let before = (disk.before_start > 0).then(|| {
        let requests = format::plural(disk.before_start, "request is", "requests are");
        format!("{requests} older than this run, and nothing more is known of them")
    });
    before.into_iter().collect()
}

/// Because of whom a disk is busy.
pub struct Cause {
    pub words: String,
    pub culprits: Vec<Who>,
    pub evidence: Vec<Evidence>,
    pub unknown: Vec<String>,
}

impl Cause {
    pub fn of(scene: &Scene, disk: &str) -> Self {
        let owners = waits::owners(scene, disk);
        let large: Vec<&Part> = owners.iter().filter(|part| part.share >= CULPRIT).collect();
        let is_known = |who: &Who| who.pid.is_some() || who.comm.is_some();
        let percent = |part: &Part| format::percent(100.0 * part.share);
        let words = match &large[..] {
            [] if owners.is_empty() => "for whom it works is not known".to_owned(),
            [] => format!("it works for {} processes, none of which has a fifth of its time", owners.len()),
            parts => {
                let has = |part: &&Part| format!("{} has {} of its time", name(&part.who), percent(part));
                list(&parts.iter().map(has).collect::<Vec<_>>(), 2)
            }
        };
        let unknown = large.iter().filter(|part| !is_known(&part.who)).map(|part| {
            format!("whose {} of its time is: {}", percent(part), part.who.unknown.as_deref().unwrap_or("not known"))
        });
        Self {
            words,
            unknown: unknown.collect(),
            culprits: large.iter().filter(|part| is_known(&part.who)).map(|part| part.who.clone()).collect(),
            evidence: large
                .iter()
                .map(|part| Evidence {
                    probe: "io",
                    what: format!("time of {disk} for {}", name(&part.who)),
                    value: Value::Percent(100.0 * part.share),
                })
                .collect(),
        }
    }
}
