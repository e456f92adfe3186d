//! How full file systems are, and when they will be.

use crate::{
    format,
    sinks::{View, rows::Rows, table::Noted, values::Show},
    snapshot::{
        Snapshot,
        disk::{Disk, Filesystem},
    },
    table::Known,
};

pub fn draw(text: &mut String, disk: &Disk, snapshot: &Snapshot, view: &View) {
    if disk.filesystems.is_empty() {
        *text += "no file system with room of its own is mounted\n";
        return;
    }
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, &disk.filesystems);
}

/// Columns that only this table can put into words.
pub fn own(row: &Filesystem, name: &str, _: &Show) -> Noted {
    match name {
        "minute" => rate(&row.bytes_per_s),
        "minutes" => rate(&row.bytes_per_s_10m),
        _ => Noted::default(),
    }
}

fn rate(rate: &Known<i64>) -> Noted {
    match rate {
        Known::Value(0) => "0".into(),
        Known::Value(rate) => {
            let sign = if *rate < 0 { "-" } else { "" };
            format!("{sign}{}", format::bytes(rate.unsigned_abs())).into()
        }
        Known::Not(_) => format::UNKNOWN.into(),
    }
}
