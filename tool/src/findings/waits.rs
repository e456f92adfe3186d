//! Waits in uninterruptible sleep and the disks behind them, sorted by the rule that each belongs to: no wait is counted by two.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Scene;
use crate::{
    reasons::Kind,
    snapshot::{
        Latency, Who,
        finding::{Evidence, Value},
        io::Stalled,
    },
};

/// Shorter waits are how long work takes.
const WORK_NS: u64 = 10_000_000;

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
pub struct Wait<'a> {
    pub row: &'a Stalled,
    pub class: Class,
    /// Time of this interval, at most: a long wait that ended in it may have begun before.
    pub lost_ns: u64,
}

/// All waits of processes that are long enough to be a delay.
pub fn all<'a>(scene: &'a Scene) -> impl Iterator<Item = Wait<'a>> {
    let rows = scene.now.io.iter().filter_map(|io| io.stalled.value()).flatten();
    let interval_ns = scene.interval_ns();
    rows.filter(|row| !row.kernel_thread && is_long(row)).map(move |row| {
        let ended = row.total_ns.min(row.waits.saturating_mul(interval_ns));
        let going_on = row.now * row.age_ns().unwrap_or(u64::MAX).min(interval_ns);
        Wait { row, class: class(row), lost_ns: ended + going_on }
    })
}

fn is_long(row: &Stalled) -> bool {
    let mean = row.total_ns.checked_div(row.waits).unwrap_or(0);
    mean >= WORK_NS || row.before_start() || row.age_ns().is_some_and(|now_ns| now_ns >= WORK_NS)
}

fn class(row: &Stalled) -> Class {
    let because =
        |kinds: &[Kind]| kinds.iter().any(|kind| row.reason.value().is_some_and(|reason| reason == kind.words()));
    if because(&[Kind::MemoryReclaim, Kind::Compaction, Kind::OutOfMemory, Kind::MemoryHigh, Kind::SwapIn]) {
        Class::Memory
    } else if because(&[Kind::DirtyThrottling]) {
        Class::Dirty
    } else if because(&[Kind::Vfork, Kind::Freezer, Kind::Userfaultfd]) {
        Class::Meant
    } else if because(&[Kind::FilesystemFrozen, Kind::NetworkFilesystem, Kind::Fuse, Kind::QueueFrozen]) {
        // The file may lie on a disk, which has nothing to do with it.
        Class::Else
    } else if row.syscall.value().is_some_and(|call| SYNC.contains(&call.as_str()))
        || because(&[Kind::JournalCommit, Kind::Flush])
    {
        Class::Sync
    } else if row.disk.is_some() {
        Class::Device
    } else {
        Class::Else
    }
}

const SYNC: &[&str] = &["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"];

/// Who waited, the longest first, and how long in all.
pub fn victims<'a>(waits: impl IntoIterator<Item = &'a Wait<'a>>) -> (Vec<Who>, u64) {
    // Of some only the name is known.
    let key = |who: &'a Who| (who.pid, who.comm.as_deref().filter(|_| who.pid.is_none()));
    let mut by_who = BTreeMap::new();
    for wait in waits {
        let who = &wait.row.who;
        by_who.entry(key(who)).or_insert((0, who)).0 += wait.lost_ns;
    }
    let mut rows: Vec<_> = by_who.into_values().collect();
    rows.sort_by_key(|&(lost_ns, _)| Reverse(lost_ns));
    (rows.iter().map(|(_, who)| (*who).clone()).collect(), rows.iter().map(|(lost_ns, _)| lost_ns).sum())
}

/// The longest of them, whether it has ended or not.
pub fn longest_ns<'a>(waits: impl IntoIterator<Item = &'a Wait<'a>>) -> u64 {
    waits.into_iter().map(|wait| wait.row.ended_max_ns.max(wait.row.age_ns().unwrap_or(0))).max().unwrap_or(0)
}

/// A whole disk, with its partitions and all operations.
#[derive(Default)]
pub struct Disk {
    pub name: String,
    pub total: Latency,
    pub queue: Latency,
    pub service: Latency,
    pub ios: u64,
    pub bytes: u64,
    pub in_flight: u64,
    pub oldest_ns: u64,
    pub before_start: u64,
}

pub fn disks(scene: &Scene) -> Vec<Disk> {
    let mut disks: BTreeMap<&str, Disk> = BTreeMap::new();
    for row in scene.now.io.iter().flat_map(|io| &io.devices) {
        let disk = disks.entry(&row.disk).or_default();
        disk.total = Latency::merge([&disk.total].into_iter().chain(row.total.value()));
        disk.queue = Latency::merge([&disk.queue].into_iter().chain(row.queue.value()));
        disk.service = Latency::merge([&disk.service].into_iter().chain(row.service.value()));
        disk.ios += row.ios;
        disk.bytes += row.bytes;
        disk.in_flight += row.in_flight.value().copied().unwrap_or(0);
        disk.oldest_ns = disk.oldest_ns.max(row.oldest().unwrap_or(0));
        disk.before_start += row.before_start;
    }
    disks.into_iter().map(|(name, disk)| Disk { name: name.to_owned(), ..disk }).collect()
}

impl Disk {
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

    pub fn evidence(&self, scene: &Scene) -> Vec<Evidence> {
        let of = |what: &str, value| Evidence { probe: "io", what: format!("{} {what}", self.name), value };
        vec![
            of("requests", Value::PerSecond(scene.rate(self.ios))),
            of("p99", Value::Nanoseconds(self.total.p99_ns)),
            of("p99 in its queue", Value::Nanoseconds(self.queue.p99_ns)),
            of("in flight", Value::Count(self.in_flight)),
            of("oldest", Value::Nanoseconds(self.oldest_ns)),
        ]
    }
}

/// An owner's part of a disk's work.
pub struct Part {
    pub who: Who,
    /// Of its time, 0 to 1.
    pub share: f64,
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
            Part { who: Who { comm, ..who.clone() }, share: 0.0 }
        });
        // What was not measured makes no share greater.
        part.share += cause.share.value().copied().unwrap_or(0.0);
    }
    let mut parts: Vec<Part> = parts.into_values().collect();
    parts.sort_by(|a, b| b.share.total_cmp(&a.share));
    parts
}
