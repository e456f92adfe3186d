//! A file system that has no room left, or no inodes: whoever writes to it fails.
//!
//! Holds when less than a thousandth of it, 16 MiB at the most, is available to others than root, or no inode. One that cannot be written to is not looked at.

use super::{
    Scene, harm,
    space::{growers, of},
    words::names,
};
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        disk::{Disk, Filesystem},
        finding::{Finding, Value},
    },
    table::Known,
};

pub const RULE: &str = "disk_full";
const PART: u64 = 1000;
const LEFT: u64 = 16 << 20;
/// What calls fail with, then.
const ERRORS: [&str; 2] = ["ENOSPC", "EDQUOT"];

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(disk) = &scene.now.disk else { return Vec::new() };
    disk.filesystems.iter().filter(|row| is_full(row)).map(|row| one(scene, disk, row)).collect()
}

/// Whether others than root can write no more.
pub fn is_full(row: &Filesystem) -> bool {
    !row.read_only && (has_no_room(row) || row.inodes_free.value() == Some(&0))
}

fn has_no_room(row: &Filesystem) -> bool {
    let bounds = row.available_bytes.value().zip(row.size_bytes.value());
    bounds.is_some_and(|(available, size)| *available < LEFT.min(size / PART))
}

fn one(scene: &Scene, disk: &Disk, row: &Filesystem) -> Finding {
    let value = |value: Option<&u64>| value.copied().unwrap_or(0);
    let (size, free) = (value(row.size_bytes.value()), value(row.free_bytes.value()));
    let what = if has_no_room(row) {
        let kept = match free {
            0 => String::new(),
            free => format!(", {} more for root", format::bytes(free)),
        };
        format!("{} of {} left{kept}", format::bytes(value(row.available_bytes.value())), format::bytes(size))
    } else {
        format!("none of its {} inodes is left", format::count(value(row.inodes.value())))
    };
    let failing = scene.now.syscalls.iter().filter_map(|syscalls| syscalls.failing.as_ref()).flatten();
    let victims: Vec<Who> = failing.filter(|row| ERRORS.contains(&&*row.errno)).map(|row| row.who.clone()).collect();
    let whom = if victims.is_empty() { String::new() } else { format!("; {} cannot write", names(&victims)) };
    let (grows, culprits) = growers(disk, row);
    let bytes = |what, value: &Known<u64>| value.value().map(|&bytes| of(what, Value::Bytes(bytes)));
    let evidence = [
        bytes("available to others than root", &row.available_bytes),
        bytes("size", &row.size_bytes),
        row.inodes_free.value().map(|&inodes| of("inodes free", Value::Count(inodes))),
    ];
    Finding {
        rule: RULE,
        subject: row.mount.clone(),
        statement: format!("{} is full: {what}{whom}{grows}", escape(&row.mount)),
        harm: harm::FULL,
        evidence: evidence.into_iter().flatten().collect(),
        unknown: if victims.is_empty() { vec!["who fails to write".into()] } else { Vec::new() },
        victims,
        culprits,
        next: "stillwatch disk".into(),
        ..Finding::default()
    }
}
