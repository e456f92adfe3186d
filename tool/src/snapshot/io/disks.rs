//! Whole disks, and what waits for them can be because of.

use std::collections::BTreeMap;

use super::{super::Latency, Io, Stalled};
use crate::reasons::Kind;

/// A whole disk, with its partitions and all operations.
#[derive(Default)]
pub struct WholeDisk {
    pub name: String,
    pub total: Latency,
    pub queue: Latency,
    pub service: Latency,
    pub ios: u64,
    pub untimed: u64,
    pub bytes: u64,
    pub in_flight: u64,
    pub oldest_ns: u64,
    pub before_start: u64,
}

impl Io {
    pub fn disks(&self) -> Vec<WholeDisk> {
        let mut disks: BTreeMap<&str, WholeDisk> = BTreeMap::new();
        for row in &self.devices {
            let disk = disks.entry(&row.disk).or_default();
            disk.total = Latency::merge([&disk.total].into_iter().chain(row.total.value()));
            disk.queue = Latency::merge([&disk.queue].into_iter().chain(row.queue.value()));
            disk.service = Latency::merge([&disk.service].into_iter().chain(row.service.value()));
            disk.ios += row.ios;
            disk.untimed += row.untimed;
            disk.bytes += row.bytes;
            disk.in_flight += row.in_flight.value().copied().unwrap_or(0);
            disk.oldest_ns = disk.oldest_ns.max(row.oldest().unwrap_or(0));
            disk.before_start += row.before_start;
        }
        disks.into_iter().map(|(name, disk)| WholeDisk { name: name.to_owned(), ..disk }).collect()
    }

    /// The disk whose requests take the time of this one's: itself, or one that it lies on.
    pub fn slowest_below<'a>(&'a self, disks: &[WholeDisk], disk: &'a str) -> &'a str {
        let time = |name: &str| disks.iter().find(|disk| disk.name == name).map_or(0, WholeDisk::time_ns);
        let below = self.below.get(disk).into_iter().flatten().max_by_key(|below| time(below));
        match below.filter(|below| time(below) > 0 && time(below) >= time(disk) / 2) {
            Some(below) => self.slowest_below(disks, below),
            None => disk,
        }
    }
}

impl WholeDisk {
    /// Of all its requests, those in flight included.
    pub fn time_ns(&self) -> u64 {
        self.total.total_ns.saturating_add(self.oldest_ns)
    }

    /// How much of these waits the disk can have worked for anybody; none where its requests are not timed. A wait for one request
    /// takes no longer than the longest, and as long again to be woken; one for many requests, or for a place in its queue, no
    /// longer than all of them.
    pub fn worked_ns(&self, row: &Stalled) -> Option<u64> {
        let in_queue = row.is_because(&[Kind::QueueFull, Kind::WritebackThrottling]);
        let is_for_many = row.is_sync() || in_queue || !row.reason.is_known();
        let each_ns =
            if is_for_many { self.time_ns() } else { self.total.max_ns.max(self.oldest_ns).saturating_mul(2) };
        let is_timed = self.untimed == 0 && self.before_start == 0;
        is_timed.then(|| each_ns.saturating_mul(row.waits + row.now))
    }
}

impl Stalled {
    pub fn is_because(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.reason.value().is_some_and(|reason| reason == kind.words()))
    }

    /// It waits for what was written to be safe.
    pub fn is_sync(&self) -> bool {
        self.syscall.value().is_some_and(|call| SYNC.contains(&call.as_str()))
            || self.is_because(&[Kind::JournalCommit, Kind::Flush])
    }
}

const SYNC: &[&str] = &["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"];
