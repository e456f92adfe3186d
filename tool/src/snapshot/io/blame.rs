//! Each victim's wait, split over those who had the disk meanwhile.

use std::collections::BTreeMap;

use super::{Blame, Cause, HELD_BACK, How, Io, Stalled};
use crate::{
    snapshot::Who,
    table::{Known, in_order},
};

/// Of a victim for one disk.
struct VictimWait<'a> {
    who: &'a Who,
    wait_ns: u64,
    /// The part of them in which the disk may have worked for somebody.
    worked_ns: u64,
}

impl Io {
    /// The most time first.
    pub fn blamed<'a, C: Iterator<Item = &'a Cause>>(
        &self,
        stalled: impl Iterator<Item = &'a Stalled>,
        causes: impl Fn() -> C,
    ) -> Vec<Blame> {
        let disks = self.disks();
        let mut waits: BTreeMap<(u32, &str), VictimWait> = BTreeMap::new();
        for row in stalled.filter(|row| !row.kernel_thread) {
            if let (Some(disk), Some(pid)) = (row.disk.as_deref(), row.who.pid) {
                let none = || VictimWait { who: &row.who, wait_ns: 0, worked_ns: 0 };
                let waited = waits.entry((pid, disk)).or_insert_with(none);
                waited.wait_ns += row.lost_ns;
                let of_disk = disks.iter().find(|of| of.name == disk).and_then(|disk| disk.worked_ns(row));
                waited.worked_ns += of_disk.unwrap_or(u64::MAX).min(row.lost_ns);
            }
        }
        let mut blame = Vec::new();
        for ((_, disk), VictimWait { who: victim, wait_ns, worked_ns }) in waits {
            let row = |culprit: Who, how, blamed_ns| Blame {
                victim: victim.clone(),
                device: disk.to_owned(),
                wait_ns,
                culprit,
                how,
                blamed_ns,
            };
            let slow = self.slowest_below(&disks, disk);
            for cause in causes().filter(|cause| cause.disk == slow) {
                let Known::Value(share) = cause.share else { continue };
                blame.push(row(cause.who.clone(), cause.how, (worked_ns as f64 * share) as u64));
            }
            let held_back = Who { unknown: Some(HELD_BACK.into()), ..Who::default() };
            blame.push(row(held_back, How::Unknown, wait_ns - worked_ns));
        }
        blame.retain(|blame| blame.blamed_ns > 0);
        in_order(&mut blame);
        blame
    }
}
