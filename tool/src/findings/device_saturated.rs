//! A disk on which processes wait for long, while it does work: for whom it works, and who waits.
//!
//! A process that reads one block after the other waits all the time and is well; it is not when each wait is long. Holds when
//! waits of 10 ms and more take at least 0.3 s per second, and the disk itself is slow: 50 ms at the 99th percentile, or 20 ms in
//! the mean. Who has requests with it all the time waits, too, though it does not sleep (io_uring, libaio): at most as long as the
//! interval. Those who wait for data to be safe belong to `sync_stall`, those who wait longer than its requests to `held_back`.

use super::{
    Scene,
    waits::{self, CULPRIT, Class, Longest, Part, Wait, WholeDisk},
    words::{each_second, list, names, verb},
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
/// Of the disk's time: if less has an owner that is named, the cause is not sure.
const TOLD: f64 = 0.5;
/// Requests that a disk must have at a time to be called saturated, rather than slow.
const DEPTH: f64 = 2.0;

pub fn look(scene: &Scene) -> Vec<Finding> {
    scene.disks.iter().filter_map(|disk| one(scene, disk)).collect()
}

fn one(scene: &Scene, disk: &WholeDisk) -> Option<Finding> {
    let on_it = |wait: &Wait| wait.class == Class::Device && wait.disk() == Some(&disk.name);
    let waits: Vec<Wait> =
        scene.waits.iter().copied().filter(|wait| on_it(wait) && !waits::is_held_back(wait, Some(disk))).collect();
    let (mut victims, mut lost_ns) = waits::victims(&waits);
    let asynchronous: Vec<_> = scene.asynchronous.iter().filter(|it| it.disk == disk.name).collect();
    for one in &asynchronous {
        lost_ns += one.lost_ns;
        if victims.iter().all(|victim| victim.pid != one.who.pid) {
            victims.push(one.who.clone());
        }
    }
    let lost = scene.share(lost_ns);
    if lost < LOST || !disk.is_slow() {
        return None;
    }
    let depth = disk.depth(scene);
    let what = if depth >= DEPTH {
        format!("is saturated, {depth:.0} requests at a time")
    } else {
        format!("is slow, {} a request", format::duration(disk.mean_ns()))
    };
    let how = match asynchronous.len() {
        0 => String::new(),
        many if many == victims.len() => " without sleeping (asynchronous I/O)".to_owned(),
        many => format!(", {many} of them without sleeping (asynchronous I/O)"),
    };
    let waiting = format!(
        "{} {} {} for it{how}",
        names(&victims),
        verb(victims.len(), "waits", "wait"),
        each_second(scene.ns_rate(lost_ns))
    );
    let cause = Culprits::of(scene, &disk.name, &victims);
    let mut evidence = disk.evidence(scene);
    evidence.extend(Longest::of(&waits).evidence("longest wait"));
    evidence.extend(cause.evidence);
    Some(Finding {
        rule: RULE,
        subject: disk.name.clone(),
        statement: format!("{} {what}: {waiting}; {}", disk.name, cause.words),
        harm: lost,
        evidence,
        victims,
        culprits: cause.culprits,
        doubts: disk_doubts(disk).into_iter().chain(cause.doubts).collect(),
        unknown: cause.unknown,
        next: format!("stillwatch io -d {} --blame", cause.disk),
        ..Finding::default()
    })
}

pub fn disk_doubts(disk: &WholeDisk) -> Vec<String> {
    let before = (disk.before_start > 0).then(|| {
        let requests = format::plural(disk.before_start, "request is", "requests are");
        format!("{requests} older than this run, and nothing more is known of them")
    });
    before.into_iter().collect()
}

/// Because of whom a disk is busy.
pub struct Culprits {
    /// The disk that has the time: the one asked about, or one that it lies on.
    pub disk: String,
    pub words: String,
    pub culprits: Vec<Who>,
    pub evidence: Vec<Evidence>,
    pub doubts: Vec<String>,
    pub unknown: Vec<String>,
}

impl Culprits {
    /// For those who wait for it. They are no culprits of their own waits while others have the disk.
    pub fn of(scene: &Scene, disk: &str, victims: &[Who]) -> Self {
        let slow = scene.now.io.as_ref().map_or(disk, |io| io.slowest_below(&scene.disks, disk));
        let owners = waits::owners(scene, slow);
        let is_victim = |part: &Part| part.who.pid.is_some_and(|pid| victims.iter().any(|it| it.pid == Some(pid)));
        let (mut large, rest): (Vec<&Part>, Vec<&Part>) = owners.iter().partition(|part| part.share >= CULPRIT);
        large.sort_by_key(|part| is_victim(part) || part.is_for_flushes());
        let others: f64 = owners.iter().filter(|part| !is_victim(part)).map(|part| part.share).sum();
        let is_culprit = |part: &&&Part| part.is_known() && (others < CULPRIT || !is_victim(part));
        let percent = |part: &Part| format::percent(100.0 * part.share);
        let has = |part: &&Part| {
            let itself = if others >= CULPRIT && is_victim(part) { " itself" } else { "" };
            let how = if part.is_for_flushes() { " in flushes" } else { "" };
            format!("{}{itself} has {} of its time{how}", part.name(), percent(part))
        };
        let whose = match &large[..] {
            [] if owners.is_empty() => "for whom it works is not known".to_owned(),
            [] => format!("it works for {} processes, none of which has a fifth of its time", processes(&rest)),
            parts => list(&parts.iter().map(has).collect::<Vec<_>>(), 2),
        };
        let below = if slow == disk { String::new() } else { format!("it lies on {slow}: ") };
        let told: f64 = large.iter().filter(|part| part.is_known()).map(|part| part.share).sum();
        let doubt = || format!("who has {} of the time of {slow} is not told", format::percent(100.0 * (1.0 - told)));
        let flushes = owners.len() > 1 && large.iter().filter(is_culprit).any(|part| part.is_for_flushes());
        let flushes = flushes.then(|| "a flush takes as long as what others had written before it".to_owned());
        let unknown = large.iter().filter(|part| !part.is_known()).map(|part| {
            format!("whose {} of its time is: {}", percent(part), part.who.unknown.as_deref().unwrap_or("not known"))
        });
        let time_of = |part: &&Part| Evidence {
            probe: "io",
            what: format!("time of {slow} for {}", part.name()),
            value: Value::Percent(100.0 * part.share),
        };
        Self {
            disk: slow.to_owned(),
            words: below + &whose,
            unknown: unknown.collect(),
            doubts: (told < TOLD).then(doubt).into_iter().chain(flushes).collect(),
            culprits: large.iter().filter(is_culprit).map(|part| part.who.clone()).collect(),
            evidence: large.iter().map(time_of).collect(),
        }
    }
}

fn processes(parts: &[&Part]) -> usize {
    parts.iter().map(|part| part.processes).sum()
}
