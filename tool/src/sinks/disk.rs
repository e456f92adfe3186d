//! What fills, who grows what, and when it is full, as text.

pub mod files;
pub mod filesystems;
pub mod holds;

use super::View;
use crate::{
    escape::escape,
    format,
    snapshot::{
        Snapshot,
        disk::{Disk, Filesystem},
    },
    table::{Bounded, Known},
};

/// How it runs, for the header.
pub fn mode(_: &Disk) -> &'static str {
    "disk"
}

pub fn draw(text: &mut String, disk: &Disk, snapshot: &Snapshot, view: &View) {
    filesystems::draw(text, disk, snapshot, view);
    files::draw(text, disk, snapshot, view);
    for line in notes(disk) {
        *text += &view.dim(&line);
        text.push('\n');
    }
}

fn notes(disk: &Disk) -> impl Iterator<Item = String> {
    let unknown = [
        not("files that grow", &disk.growing),
        not("deleted files", &disk.deleted_open),
        not("descriptors", &disk.descriptors),
    ];
    let (open, limit) = (disk.host.open, disk.host.limit);
    let host = open.zip(limit).map(|(open, limit)| {
        let limit = if limit > i64::MAX as u64 / 2 {
            "no limit".to_owned()
        } else {
            format!("{} at the most", format::count(limit))
        };
        format!("this host has {} files open, {limit}", format::count(open))
    });
    full(disk).chain(unknown.into_iter().flatten()).chain(host)
}

/// Of which it is not known how full they are.
fn full(disk: &Disk) -> impl Iterator<Item = String> {
    let row =
        |row: &Filesystem| Some(format!("{}: {}", escape(&row.mount), escape(&row.size_bytes.why()?.to_string())));
    disk.filesystems.iter().filter_map(row)
}

/// An empty table must not read as "there is none".
fn not<R>(what: &str, rows: &Known<Bounded<R>>) -> Option<String> {
    rows.why().map(|why| format!("{what}: {}", escape(&why.to_string())))
}
