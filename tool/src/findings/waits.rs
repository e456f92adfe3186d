//! Waits in uninterruptible sleep and the disks behind them, sorted by the rule that each belongs to: no wait is counted by two.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

use super::{
    Scene,
    words::{name, verb},
};
pub use crate::snapshot::io::WholeDisk;
use crate::{
    format,
    reasons::Kind,
    snapshot::{
        Latency, Who,
        finding::{Evidence, Value},
        io::{Cause, How, Stalled},
        syscalls::InFlight,
        who::FileServer,
    },
};

/// Shorter waits are how long work takes.
const WORK_NS: u64 = 10_000_000;

pub const SLOW_P99_NS: u64 = 50_000_000;
const SLOW_MEAN_NS: u64 = 20_000_000;
/// An owner with less of a disk's time is not the cause.
pub const CULPRIT: f64 = 0.2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// For memory: the `oom` probe has seen them, too.
    Memory,
    /// To be let to dirty more pages.
    Dirty,
    /// For what was written to be safe on a disk.
    Sync,
    /// For a disk.
    Device,
    /// By design, or until somebody lets it go on: a frozen task, a parent that waits for its child to execute.
    Meant,
    /// For something else: a lock, a server of files, somebody who thaws a filesystem or a disk's queue. A disk may be known, of
    /// the file that the call is about: it is not what the wait is for.
    Else,
}

/// A row of the table of stalls.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    pub row: &'a Stalled,
    /// What it waits for is told by this row: itself, or, where it was not looked at, what most of its name wait for.
    told_by: &'a Stalled,
    pub class: Class,
    /// Time of this interval.
    pub lost_ns: u64,
}

impl Wait<'_> {
    pub fn disk(&self) -> Option<&str> {
        self.told_by.disk.as_deref()
    }

    /// As far as it was seen.
    pub fn longest_ns(&self) -> u64 {
        self.row.ended_max_ns.max(self.row.age_ns().unwrap_or(0))
    }

    pub fn reason(&self) -> Option<&String> {
        self.told_by.reason.value()
    }

    pub fn server(&self) -> Option<&FileServer> {
        self.told_by.server.as_ref()
    }
}

/// As [`Scene::waits`].
pub fn all<'a>(scene: &Scene<'a>) -> Vec<Wait<'a>> {
    let rows = scene.now.io.iter().filter_map(|io| io.stalled.value()).flatten();
    let rows: Vec<&Stalled> = rows.filter(|row| !row.kernel_thread && is_long(row)).collect();
    let stand_ins = stand_ins(&rows);
    let one = |row: &'a Stalled| {
        let stand_in = || likes(&row.who).iter().find_map(|like| stand_ins.get(like).copied()).unwrap_or(row);
        let told_by = if row.is_looked_at() { row } else { stand_in() };
        Wait { row, told_by, class: class(told_by), lost_ns: row.lost_ns }
    };
    rows.iter().map(|row| one(row)).collect()
}

/// What a wait that was not looked at is like: one of the same process, or of the same name.
type Like<'a> = (Option<u32>, Option<&'a str>);

/// With the reason and the disk.
type LikeOnes<'a> = (Like<'a>, Option<&'a String>, &'a Option<String>);

fn likes(who: &Who) -> [Like<'_>; 2] {
    // The name of the thread, where the process has another one.
    [(who.pid, None), (None, who.noted.as_deref().or(who.comm.as_deref()))]
}

/// What most of those wait for that were looked at.
fn stand_ins<'a>(rows: &[&'a Stalled]) -> BTreeMap<Like<'a>, &'a Stalled> {
    let mut counts: BTreeMap<LikeOnes, (u64, &'a Stalled)> = BTreeMap::new();
    for &row in rows.iter().filter(|row| row.now > 0 && row.is_looked_at()) {
        for like in likes(&row.who) {
            counts.entry((like, row.reason.value(), &row.disk)).or_insert((0, row)).0 += row.now;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, (tasks, _))| *tasks);
    counts.into_iter().map(|((like, ..), (_, row))| (like, row)).collect()
}

/// Whether most of a wait was for something before the disk: a limit of its cgroup, a lock, a queue. Who uses the disk is not why.
pub fn is_held_back(wait: &Wait, disk: Option<&WholeDisk>) -> bool {
    if wait.row.is_because(&[Kind::IoController]) {
        return true;
    }
    let worked_ns = disk.map_or(Some(0), |disk| disk.worked_ns(wait.row));
    let is_long = wait.row.before_start() || wait.longest_ns() >= SLOW_P99_NS;
    wait.class == Class::Device && is_long && worked_ns.is_some_and(|worked_ns| worked_ns < wait.lost_ns / 2)
}

/// A process that has requests with a slow disk all the time, and does not sleep for them in a way that shows: io_uring, libaio.
pub struct Asynchronous<'a> {
    pub who: &'a Who,
    pub disk: String,
    pub lost_ns: u64,
}

/// Requests of a process at a time at least, so that it always waits for one.
const ALWAYS: f64 = 0.9;

/// As [`Scene::asynchronous`].
pub fn asynchronous<'a>(scene: &Scene<'a>) -> Vec<Asynchronous<'a>> {
    let mut found = Vec::new();
    let causes = || scene.now.io.iter().filter_map(|io| io.caused_by.value()).flatten();
    for disk in scene.disks.iter().filter(|disk| disk.is_slow() || disk.is_slow_at_times()) {
        let mut time: BTreeMap<u32, (f64, &Who)> = BTreeMap::new();
        let own = |cause: &&Cause| matches!(cause.how, How::Direct | How::Read) && !cause.who.kernel_thread;
        for cause in causes().filter(own).filter(|cause| cause.disk == disk.name) {
            if let (Some(pid), Some(share)) = (cause.who.pid, cause.share.value()) {
                time.entry(pid).or_insert((0.0, &cause.who)).0 += share * disk.depth(scene);
            }
        }
        for begun in scene.now.io.iter().flat_map(|io| &io.begun).filter(|begun| begun.disk == disk.name) {
            if let Some(pid) = begun.who.pid {
                time.entry(pid).or_insert((0.0, &begun.who)).0 += scene.share(begun.time_ns);
            }
        }
        for (pid, (_, who)) in time.into_iter().filter(|(_, (depth, _))| *depth >= ALWAYS) {
            let own = scene.waits.iter().filter(|wait| wait.row.who.pid == Some(pid));
            let asleep = own.map(|wait| wait.lost_ns).sum();
            let lost_ns = scene.interval_ns().saturating_sub(asleep);
            if lost_ns > 0 {
                found.push(Asynchronous { who, disk: disk.name.clone(), lost_ns });
            }
        }
    }
    found
}

/// As [`Scene::served`].
pub fn served<'a>(scene: &Scene<'a>) -> Vec<&'a InFlight> {
    let is_stall = |call: &InFlight| {
        let mut waits = scene.waits.iter().filter(|wait| wait.row.now > 0 && wait.row.who.pid == call.who.pid);
        waits.any(|wait| wait.row.syscall.value() == Some(&call.syscall))
    };
    let calls = scene.now.syscalls.iter().flat_map(|syscalls| &syscalls.in_flight);
    calls.filter(|call| call.is_for_server() && !is_stall(call)).collect()
}

/// `236 of them were not looked at`, and nothing where all were.
pub fn not_looked_at<'a>(waits: impl IntoIterator<Item = &'a Wait<'a>>) -> Option<String> {
    let tasks: u64 = waits.into_iter().filter(|wait| !wait.row.is_looked_at()).map(|wait| wait.row.now).sum();
    (tasks > 0).then(|| format!("{tasks} of them {} not looked at", verb(tasks as usize, "was", "were")))
}

fn is_long(row: &Stalled) -> bool {
    let mean = row.total_ns.checked_div(row.waits).unwrap_or(0);
    mean >= WORK_NS || row.before_start() || row.age_ns().is_some_and(|now_ns| now_ns >= WORK_NS)
}

fn class(row: &Stalled) -> Class {
    let because = |kinds: &[Kind]| row.is_because(kinds);
    if because(&[Kind::MemoryReclaim, Kind::Compaction, Kind::OutOfMemory, Kind::MemoryHigh, Kind::SwapIn]) {
        Class::Memory
    } else if because(&[Kind::DirtyThrottling]) {
        Class::Dirty
    } else if because(&[Kind::Vfork, Kind::Freezer, Kind::Userfaultfd]) {
        Class::Meant
    } else if because(&[Kind::FilesystemFrozen, Kind::NetworkFilesystem, Kind::Fuse, Kind::QueueFrozen]) {
        // The file may lie on a disk, which has nothing to do with it.
        Class::Else
    } else if row.is_sync() {
        Class::Sync
    } else if row.disk.is_some() {
        Class::Device
    } else {
        Class::Else
    }
}

/// Who waited, the longest first, and how long in all.
pub fn victims<'a>(waits: impl IntoIterator<Item = &'a Wait<'a>>) -> (Vec<Who>, u64) {
    sums(waits.into_iter().map(|wait| (&wait.row.who, wait.lost_ns)))
}

/// As [`victims`], of any waits.
pub fn sums<'a>(waits: impl Iterator<Item = (&'a Who, u64)>) -> (Vec<Who>, u64) {
    // Of some only the name is known.
    let key = |who: &'a Who| (who.pid, who.comm.as_deref().filter(|_| who.pid.is_none()));
    let mut by_who = BTreeMap::new();
    for (who, lost_ns) in waits {
        by_who.entry(key(who)).or_insert((0, who)).0 += lost_ns;
    }
    let mut rows: Vec<_> = by_who.into_values().collect();
    rows.sort_by_key(|&(lost_ns, _)| Reverse(lost_ns));
    (rows.iter().map(|(_, who)| (*who).clone()).collect(), rows.iter().map(|(lost_ns, _)| lost_ns).sum())
}

/// The longest of those whose begin was seen, whether it has ended or not; and whether one began before the run.
pub struct Longest {
    pub ns: u64,
    pub before_start: bool,
}

impl Longest {
    pub fn of<'a>(waits: impl IntoIterator<Item = &'a Wait<'a>>) -> Self {
        waits.into_iter().fold(Self { ns: 0, before_start: false }, |longest, wait| Self {
            ns: longest.ns.max(wait.longest_ns()),
            before_start: longest.before_start || wait.row.before_start(),
        })
    }

    /// `at most 118ms`.
    pub fn words(&self) -> String {
        match (self.ns, self.before_start) {
            (0, _) => "since before this run".to_owned(),
            (ns, false) => format!("at most {}", format::duration(ns)),
            (ns, true) => format!("at most {}, or since before this run", format::duration(ns)),
        }
    }

    pub fn evidence(&self, what: &str) -> Option<Evidence> {
        let value = Value::Nanoseconds(self.ns);
        (self.ns > 0).then(|| Evidence { probe: "io", what: what.to_owned(), value })
    }
}

impl WholeDisk {
    /// It has nothing to do, and had nothing to do: nobody waits for it, whatever file a call is about.
    pub fn is_idle(&self) -> bool {
        self.ios == 0 && self.in_flight == 0
    }

    pub fn mean_ns(&self) -> u64 {
        self.total.total_ns.checked_div(self.total.count).unwrap_or(0)
    }

    /// Requests that it had at a time, on average.
    pub fn depth(&self, scene: &Scene) -> f64 {
        scene.share(self.total.total_ns)
    }

    /// Most of its requests take long.
    pub fn is_slow(&self) -> bool {
        self.ios > 0 && (self.total.p99_ns >= SLOW_P99_NS || self.mean_ns() >= SLOW_MEAN_NS)
    }

    /// Half of the time that its requests take is that of slow ones, however many others are done at once meanwhile; or it has completed
    /// nothing, and only their age tells.
    fn is_slow_at_times(&self) -> bool {
        let slow = self.total.histogram().filter(|&(from_ns, _)| from_ns >= SLOW_P99_NS);
        let slow_ns: u64 = slow.map(|(from_ns, count)| from_ns * count).sum::<u64>();
        slow_ns > 0 && slow_ns >= self.total.total_ns / 2 || self.oldest_ns >= SLOW_P99_NS
    }

    pub fn evidence(&self, scene: &Scene) -> Vec<Evidence> {
        let of = |what: &str, value| Evidence { probe: "io", what: format!("{} {what}", self.name), value };
        let p99 = |what, latency: &Latency| (latency.count > 0).then(|| of(what, Value::Nanoseconds(latency.p99_ns)));
        let oldest = (self.oldest_ns > 0).then(|| of("oldest", Value::Nanoseconds(self.oldest_ns)));
        let requests = of("requests", Value::PerSecond(scene.rate(self.ios)));
        let in_flight = of("in flight", Value::Count(self.in_flight));
        let timed = p99("p99", &self.total).into_iter().chain(p99("p99 in its queue", &self.queue));
        [requests].into_iter().chain(timed).chain([in_flight]).chain(oldest).collect()
    }
}

/// An owner's part of a disk's work.
pub struct Part {
    pub who: Who,
    /// Of its time, 0 to 1.
    pub share: f64,
    /// The part of that in flushes.
    pub flushes: f64,
    /// Processes of one name and cgroup, told together.
    pub processes: usize,
}

impl Part {
    /// `rsync 812`, `chunkwr × 118`.
    pub fn name(&self) -> String {
        match self.processes {
            1 => name(&self.who),
            many => format!("{} × {many}", name(&self.who)),
        }
    }

    /// A flush takes as long as the disk takes to write what everybody had given it before.
    pub fn is_for_flushes(&self) -> bool {
        self.flushes >= self.share / 2.0
    }

    pub fn is_known(&self) -> bool {
        self.who.pid.is_some() || self.who.comm.is_some()
    }
}

/// Who had a disk's time, the most first.
pub fn owners(scene: &Scene, disk: &str) -> Vec<Part> {
    let mut parts: BTreeMap<(Option<u32>, Option<&str>), Part> = BTreeMap::new();
    let causes = scene.now.io.iter().filter_map(|io| io.caused_by.value()).flatten();
    for cause in causes.filter(|cause| cause.disk == disk) {
        let who = &cause.who;
        // Work of nobody in particular is told by how it came to be.
        let named = who.comm.as_deref().or(who.unknown.as_deref()).unwrap_or(cause.how.name());
        let part = parts.entry((who.pid, Some(named))).or_insert_with(|| {
            let comm = who.comm.clone().or_else(|| (who.unknown.is_none()).then(|| cause.how.name().to_owned()));
            Part { who: Who { comm, ..who.clone() }, share: 0.0, flushes: 0.0, processes: 1 }
        });
        // What was not measured makes no share greater.
        let share = cause.share.value().copied().unwrap_or(0.0);
        part.share += share;
        part.flushes += if cause.how == How::Flush { share } else { 0.0 };
    }
    let (mut parts, small): (Vec<Part>, Vec<Part>) = parts.into_values().partition(|part| part.share >= CULPRIT);
    parts.extend(together(small));
    parts.sort_by(|a, b| b.share.total_cmp(&a.share));
    parts
}

/// Many that have little each, as those that write one file and end, share a name.
fn together(small: Vec<Part>) -> impl Iterator<Item = Part> {
    let mut groups: BTreeMap<(Option<String>, Option<String>), Part> = BTreeMap::new();
    let mut rest = Vec::new();
    for part in small {
        if part.who.pid.is_none() || part.who.comm.is_none() {
            rest.push(part);
            continue;
        }
        match groups.entry((part.who.comm.clone(), part.who.cgroup.clone())) {
            Entry::Vacant(place) => {
                place.insert(part);
            }
            Entry::Occupied(mut place) => {
                let Who { comm, cgroup, .. } = part.who;
                let sum = place.get_mut();
                sum.who = Who { comm, cgroup, ..Who::default() };
                (sum.share, sum.flushes) = (sum.share + part.share, sum.flushes + part.flushes);
                sum.processes += 1;
            }
        }
    }
    groups.into_values().chain(rest)
}
