//! Block I/O. Shares of a disk's time, and of a victim's wait, are made again.

use std::collections::HashMap;

use super::add;
use crate::{
    snapshot::io::{Blame, Cause, Io},
    table::{Bounded, Known, Then},
};

pub fn then(io: &mut Io, later: Io) {
    let Io { devices, stalled, caused_by, blame, begun, below, slow } = later;
    io.devices.then(devices);
    io.stalled.then(stalled);
    causes(&mut io.caused_by, caused_by);
    self::blame(&mut io.blame, blame);
    io.begun = begun;
    io.below.extend(below);
    io.slow.extend(slow);
}

fn causes(rows: &mut Known<Bounded<Cause>>, later: Known<Bounded<Cause>>) {
    let mut worked_ns = HashMap::new();
    for rows in [&*rows, &later] {
        for (disk, ns) in rows.value().map(worked).unwrap_or_default() {
            *worked_ns.entry(disk).or_insert(0.0) += ns;
        }
    }
    rows.then(later);
    for row in rows.value_mut().into_iter().flatten() {
        if let (Known::Value(service_ns), Some(worked_ns)) = (&row.service_ns, worked_ns.get(&row.disk)) {
            row.share = Known::Value(*service_ns as f64 / worked_ns);
        }
    }
}

/// The time that each disk worked, whoever's rows are there: a share is of all of it.
fn worked(rows: &Bounded<Cause>) -> HashMap<String, f64> {
    let mut most: HashMap<&str, (f64, u64)> = HashMap::new();
    for row in rows {
        if let (Known::Value(share), Known::Value(service_ns)) = (&row.share, &row.service_ns) {
            let known = most.entry(&row.disk).or_default();
            if *share > known.0 {
                *known = (*share, *service_ns);
            }
        }
    }
    most.into_iter().map(|(disk, (share, service_ns))| (disk.to_owned(), service_ns as f64 / share)).collect()
}

/// A victim's wait stands in each of its rows, also in those of whom held the device in one of the two intervals only.
fn blame(rows: &mut Option<Bounded<Blame>>, later: Option<Bounded<Blame>>) {
    let victim = |row: &Blame| (row.victim.pid, row.device.clone());
    let mut waits = HashMap::new();
    for rows in [&*rows, &later] {
        let of_interval: HashMap<_, u64> = rows.iter().flatten().map(|row| (victim(row), row.wait_ns)).collect();
        for (victim, wait_ns) in of_interval {
            add(waits.entry(victim).or_insert(0), wait_ns);
        }
    }
    rows.then(later);
    for row in rows.iter_mut().flatten() {
        row.wait_ns = waits.get(&victim(row)).copied().unwrap_or(row.wait_ns);
    }
}
