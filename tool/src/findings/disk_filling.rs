//! A file system that will have no room soon.
//!
//! Holds when it would be full within an hour (`--horizon`), by what it grew in the last minute and in the last ten. It looks ahead twelve times as far as it has
//! looked back, half a minute at the least: what is written at once and then no more is no trend.

use super::{
    Scene,
    disk_full::is_full,
    harm,
    space::{growers, of},
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        disk::{Disk, Filesystem},
        finding::{Finding, Value},
    },
};

const RULE: &str = "disk_filling";
const WATCHED_NS: u64 = 30 * 1_000_000_000;
const AHEAD: u64 = 12;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(disk) = &scene.now.disk else { return Vec::new() };
    disk.filesystems.iter().filter(|row| !is_full(row)).filter_map(|row| one(disk, row)).collect()
}

fn one(disk: &Disk, row: &Filesystem) -> Option<Finding> {
    let (&minute, &minutes) = (row.full_in_ns.value()?, row.full_in_10m_ns.value()?);
    let latest = minute.max(minutes);
    let (&rate, &rate_10m) = (row.bytes_per_s.value()?, row.bytes_per_s_10m.value()?);
    if latest > disk.horizon_ns.min(AHEAD * row.watched_ns) || row.watched_ns < WATCHED_NS {
        return None;
    }
    let bytes = |rate: i64| format!("{}/s", format::bytes(rate.unsigned_abs()));
    let (grows, culprits) = growers(disk, row);
    // Half or twice as fast before: then it is not steady.
    let steady = rate_10m * 2 >= rate && rate * 2 >= rate_10m;
    let doubt = format!("it grew by {} in the last minute, and by {} in the last ten", bytes(rate), bytes(rate_10m));
    let available = row.available_bytes.value().copied().unwrap_or(0);
    Some(Finding {
        rule: RULE,
        subject: row.mount.clone(),
        statement: format!(
            "{} is full in {} if it goes on to grow by {}: {} left{grows}",
            escape(&row.mount),
            format::duration(minute),
            bytes(rate),
            format::bytes(available)
        ),
        harm: harm::FILLING,
        evidence: vec![
            of("available to others than root", Value::Bytes(available)),
            of("grew each second of the last minute", Value::Bytes(rate.unsigned_abs())),
            of("grew each second of the last ten minutes", Value::Bytes(rate_10m.unsigned_abs())),
        ],
        doubts: if steady { Vec::new() } else { vec![doubt] },
        unknown: vec!["whether something removes files before that".into()],
        culprits,
        next: "stillwatch disk".into(),
        ..Finding::default()
    })
}
