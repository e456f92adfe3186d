//! Room that nobody sees: deleted files that are still open.
//!
//! Holds when they take a tenth of a file system of which four fifths are in use. Not those in memory, which have no other room.

use std::collections::HashMap;

use super::{Scene, harm, space::of, words::name};
use crate::{
    escape::escape,
    format,
    snapshot::{
        disk::{DeletedOpen, Filesystem},
        finding::{Finding, Value},
    },
};

const RULE: &str = "deleted_open";
const SHARE: f64 = 0.1;
const USED: f64 = 0.8;

pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(disk) = &scene.now.disk else { return Vec::new() };
    let mut by_mount: HashMap<&str, Vec<&DeletedOpen>> = HashMap::new();
    for row in disk.deleted_open.value().into_iter().flatten().filter(|row| !row.in_memory) {
        if let Some(mount) = row.mount.value() {
            by_mount.entry(mount).or_default().push(row);
        }
    }
    let one = |row: &Filesystem| {
        let rows = by_mount.get(row.mount.as_str())?;
        let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
        let (size, used) = (*row.size_bytes.value()?, *row.used_share.value()?);
        (used >= USED && bytes as f64 >= SHARE * size as f64).then(|| one(row, bytes, rows))
    };
    disk.filesystems.iter().filter_map(one).collect()
}

/// `rows` are by size.
fn one(on: &Filesystem, bytes: u64, rows: &[&DeletedOpen]) -> Finding {
    let largest = rows.iter().take(2).map(|row| {
        let path = row.path.value().map_or_else(|| "one".to_owned(), |path| escape(path).into_owned());
        format!("{} has {path} open, {}", name(&row.who), format::bytes(row.bytes))
    });
    Finding {
        rule: RULE,
        subject: on.mount.clone(),
        statement: format!(
            "{} of {} are held by deleted files that are still open: {}",
            format::bytes(bytes),
            escape(&on.mount),
            largest.collect::<Vec<_>>().join(", ")
        ),
        harm: harm::HELD,
        evidence: vec![
            of("held by deleted files", Value::Bytes(bytes)),
            of("such files", Value::Count(rows.len() as u64)),
            of("in use", Value::Percent(100.0 * on.used_share.value().copied().unwrap_or(0.0))),
        ],
        culprits: rows.iter().take(2).map(|row| row.who.clone()).collect(),
        next: "stillwatch disk".into(),
        ..Finding::default()
    }
}
