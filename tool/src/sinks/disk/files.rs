//! Files that grow, files without a name, and who has how many open.

use crate::{
    escape::fit,
    format,
    sinks::{View, rows::Rows, table::Noted, values::Show, who},
    snapshot::{
        Snapshot,
        disk::{DeletedOpen, Directory, Disk, Growing},
    },
    table::Known,
};

pub fn draw(text: &mut String, disk: &Disk, snapshot: &Snapshot, view: &View) {
    if let Some(rows) = disk.growing.value().filter(|rows| !rows.is_empty()) {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own).draw_bounded(text, rows);
    }
    if let Some(rows) = disk.directories.value().filter(|rows| !rows.is_empty()) {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own_of_directory).draw_bounded(text, rows);
    }
    if let Some(rows) = disk.deleted_open.value().filter(|rows| !rows.is_empty()) {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own_of_deleted).draw_bounded(text, rows);
    }
    if let Some(rows) = disk.descriptors.value().filter(|rows| !rows.is_empty()) {
        text.push('\n');
        Rows::new(view, snapshot.interval).draw_bounded(text, rows);
    }
}

/// Columns that only this table can put into words.
pub fn own(row: &Growing, name: &str, _: &Show) -> Noted {
    place(name, &row.path)
}

pub fn own_of_directory(row: &Directory, name: &str, _: &Show) -> Noted {
    place(name, &row.path)
}

pub fn own_of_deleted(row: &DeletedOpen, name: &str, _: &Show) -> Noted {
    place(name, &row.path)
}

fn place(name: &str, path: &Known<String>) -> Noted {
    match path {
        _ if name != "path" => Noted::default(),
        Known::Value(path) => fit(path, who::PATH).into(),
        Known::Not(why) => Noted::new(format::UNKNOWN.to_owned(), [why.to_string()]),
    }
}
