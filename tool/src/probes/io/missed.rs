//! Requests that a disk completed while our program did not run: the disk's own statistics know of them.
//!
//! On newer kernels (6.18, 7.2) a program on `block_rq_complete` now and then does not run, and the kernel counts no miss. What the
//! statistics count more than we do is proven to be missing, because of the order in which both are read: first ours, then theirs
//! to begin with, and first theirs, then ours ever after. What completes between two readings can only make it less. A disk that is
//! idle when we first look begins there, with nothing counted.

use std::{collections::HashMap, fs, path::PathBuf};

use stillwatch_common::io::{DeviceCounts, NO_ROW, Op, Request};

use super::devices;
use crate::kernel::in_time::in_time;

/// Of reads, and of all others.
type Counts = [u64; 2];

const YOUNG_NS: u64 = 1_000_000_000;

#[derive(Default)]
pub struct Missed {
    /// As it was when we first looked, of disks that have done nothing since. `None`: not looked yet.
    idle: Option<HashMap<u32, Counts>>,
    disks: HashMap<u32, Compared>,
    /// Of disks that are gone.
    gone: u64,
}

struct Compared {
    theirs: Counts,
    ours: Counts,
    missed: Counts,
}

impl Missed {
    /// Completed requests of the disks that we know, by their own statistics. To be read before the maps.
    pub fn statistics(&self) -> Option<HashMap<u32, Counts>> {
        statistics(self.disks.keys().copied().collect())
    }

    /// All that are missing until now, at least. Nothing is compared where theirs were not read in time.
    pub fn update(
        &mut self,
        theirs: Option<&HashMap<u32, Counts>>,
        rows: &[(u64, DeviceCounts)],
        disk_of: impl FnMut(u32) -> u32,
    ) -> u64 {
        if let Some(theirs) = theirs {
            self.compare(theirs, rows, disk_of);
        }
        self.gone + self.disks.values().map(|disk| disk.missed.iter().sum::<u64>()).sum::<u64>()
    }

    fn compare(
        &mut self,
        theirs: &HashMap<u32, Counts>,
        rows: &[(u64, DeviceCounts)],
        mut disk_of: impl FnMut(u32) -> u32,
    ) {
        let mut ours: HashMap<u32, Counts> = HashMap::new();
        for (key, row) in rows.iter().filter(|(key, _)| *key != 0) {
            ours.entry(disk_of((key >> 8) as u32)).or_default()[direction(*key)] += row.ios;
        }
        // Else some are counted without their device, and would seem to be missing.
        let complete = rows.iter().take(NO_ROW as usize).any(|(key, _)| *key == 0);
        for (disk, ours) in ours.into_iter().filter(|_| complete) {
            match (self.disks.get_mut(&disk), theirs.get(&disk)) {
                (Some(known), Some(theirs)) if (0..2).all(|at| theirs[at] >= known.theirs[at]) => {
                    known.compare(*theirs, ours);
                }
                _ => self.begin(disk, ours),
            }
        }
        if self.idle.is_none() {
            // Those above were not idle.
            let others = devices::disks().map(|(disk, _)| disk).filter(|disk| !self.disks.contains_key(disk));
            self.idle = statistics(others.collect());
        }
    }

    /// A disk is new, or its number is another one's now.
    fn begin(&mut self, disk: u32, ours: Counts) {
        if let Some(gone) = self.disks.remove(&disk) {
            self.gone += gone.missed.iter().sum::<u64>();
        }
        let start = self.idle.as_mut().and_then(|idle| idle.remove(&disk)).map(|theirs| (theirs, [0; 2]));
        if let Some((theirs, ours)) = start.or_else(|| Some((*statistics(vec![disk])?.get(&disk)?, ours))) {
            self.disks.insert(disk, Compared { theirs, ours, missed: [0; 2] });
        }
    }

    /// Takes away requests that look as if they never ended where it is their end that was missed: the disk is proven to have
    /// completed more than we saw, and has none in flight.
    pub fn drop_ended(
        &self,
        requests: &mut Vec<Request>,
        rows: &[(u64, DeviceCounts)],
        now_ns: u64,
        mut disk_of: impl FnMut(u32) -> u32,
    ) {
        requests.retain(|request| {
            if request.issued_ns == 0 || now_ns.saturating_sub(request.issued_ns) < YOUNG_NS {
                return true;
            }
            let disk = disk_of(request.dev);
            let at = rows.get(request.row as usize).map_or(1, |(key, _)| direction(*key));
            let missed = self.disks.get(&disk).is_some_and(|disk| disk.missed[at] > 0);
            !missed || super::unseen::in_flight(disk).is_none_or(|counts| counts[at] > 0)
        });
    }
}

impl Compared {
    fn compare(&mut self, theirs: Counts, ours: Counts) {
        for at in 0..2 {
            let missing = (theirs[at] - self.theirs[at]).saturating_sub(ours[at].saturating_sub(self.ours[at]));
            self.missed[at] = self.missed[at].max(missing);
        }
    }
}

fn direction(key: u64) -> usize {
    usize::from(key as u8 != Op::Read as u8)
}

/// By disk. A queue that is frozen, as one whose scheduler is changed while its disk hangs, holds up who asks how it counts.
fn statistics(disks: Vec<u32>) -> Option<HashMap<u32, Counts>> {
    let read = move || disks.into_iter().filter_map(|disk| Some((disk, completed(disk)?))).collect();
    in_time("statistics of disks", read)
}

/// Requests by the statistics of the disk. `None` if it has no queue of requests, or counts commands that we don't.
fn completed(disk: u32) -> Option<Counts> {
    let directory = PathBuf::from(format!("/sys/dev/block/{}:{}", disk >> 20, disk & 0xf_ffff));
    let passthrough = fs::read_to_string(directory.join("queue/iostats_passthrough"));
    if !directory.join("mq").exists() || passthrough.is_ok_and(|text| text.trim() != "0") {
        return None;
    }
    parse(&fs::read_to_string(directory.join("stat")).ok()?)
}

/// The first field of each kind of operation is what was completed: reads, writes, discards. Flushes come last, and are left
/// out as they are counted on top of the writes that ask for them.
fn parse(text: &str) -> Option<Counts> {
    let fields: Vec<u64> = text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    Some([*fields.first()?, fields.get(4)? + fields.get(11).unwrap_or(&0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disks_statistics() {
        let text = "  100 1 2 3 20 5 6 7 0 8 9 3 0 11 12 40 13\n";
        assert_eq!(parse(text), Some([100, 23]));
        assert_eq!(parse("  100 1 2 3 20 5 6 7 0 8 9\n"), Some([100, 20]));
        assert_eq!(parse("gone"), None);
    }

    #[test]
    fn only_what_is_proven_is_missing() {
        let mut disk = Compared { theirs: [1000, 50], ours: [10, 5], missed: [0; 2] };
        // As many, and some that completed between the two readings.
        disk.compare([1100, 60], [112, 16]);
        assert_eq!(disk.missed, [0, 0]);
        disk.compare([1200, 70], [207, 25]);
        assert_eq!(disk.missed, [3, 0]);
        // Once proven, it stays so.
        disk.compare([1300, 80], [309, 36]);
        assert_eq!(disk.missed, [3, 0]);
    }

    #[test]
    fn a_disk_that_was_idle_is_compared_from_the_start() {
        const DISK: u32 = 7 << 20;
        let mut rows = vec![(0, DeviceCounts::default()); NO_ROW as usize + 1];
        let mut missed = Missed { idle: Some(HashMap::from([(DISK, [100, 0])])), ..Missed::default() };
        let mut seen = |theirs: &HashMap<u32, Counts>, ios| {
            rows[3] =
                (stillwatch_common::io::row_key(DISK, Op::Read as u8), DeviceCounts { ios, ..DeviceCounts::default() });
            missed.update(Some(theirs), &rows, |dev| dev)
        };
        assert_eq!(seen(&HashMap::new(), 5), 0);
        assert_eq!(seen(&HashMap::from([(DISK, [110, 0])]), 8), 2);
    }

    #[test]
    fn a_row_of_no_device_proves_nothing() {
        let row = DeviceCounts { ios: 5, ..DeviceCounts::default() };
        let rows = vec![(stillwatch_common::io::row_key(7 << 20, Op::Read as u8), row); NO_ROW as usize + 1];
        let mut missed = Missed::default();
        missed.disks.insert(7 << 20, Compared { theirs: [0; 2], ours: [0; 2], missed: [0; 2] });
        let theirs = HashMap::from([(7 << 20, [1 << 40, 0])]);
        assert_eq!(missed.update(Some(&theirs), &rows, |dev| dev), 0);
        assert_eq!(missed.update(Some(&theirs), &rows[..1], |dev| dev), 0);
        let mut some = rows;
        some[3].0 = 0;
        assert_eq!(missed.update(None, &some, |dev| dev), 0);
        assert_eq!(missed.update(Some(&theirs), &some, |dev| dev), (1 << 40) - 5 * u64::from(NO_ROW));
    }
}
