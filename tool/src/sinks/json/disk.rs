//! The `disk` probe's part of a line.

use std::io::Result;

use serde::Serialize;

use super::{
    Lines,
    line::{Event, Line},
    row::{Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        disk::{
            self, DeletedOpen, Descriptors, Directory, Filesystem, Growing, HostFiles,
            holds::{Found, Hold},
        },
    },
};

pub fn add(lines: &mut Lines, disk: &disk::Disk, snapshot: &Snapshot, _: &View) -> Result<()> {
    lines.add(&Line::of("disk", snapshot, Disk::of(disk)))
}

#[derive(Serialize)]
struct Disk<'a> {
    filesystems: Rows<'a, Filesystem>,
    growing: Option<Rows<'a, Growing>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growing_unknown: Option<String>,
    directories: Option<Rows<'a, Directory>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directories_unknown: Option<String>,
    deleted_open: Option<Rows<'a, DeletedOpen>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_open_unknown: Option<String>,
    descriptors: Option<Rows<'a, Descriptors>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptors_unknown: Option<String>,
    host: Row<'a, HostFiles>,
}

impl<'a> Disk<'a> {
    fn of(disk: &'a disk::Disk) -> Self {
        Self {
            filesystems: Rows::of(&disk.filesystems),
            growing: disk.growing.value().map(Rows::of),
            growing_unknown: disk.growing.why().map(ToString::to_string),
            directories: disk.directories.value().map(Rows::of),
            directories_unknown: disk.directories.why().map(ToString::to_string),
            deleted_open: disk.deleted_open.value().map(Rows::of),
            deleted_open_unknown: disk.deleted_open.why().map(ToString::to_string),
            descriptors: disk.descriptors.value().map(Rows::of),
            descriptors_unknown: disk.descriptors.why().map(ToString::to_string),
            host: Row(&disk.host),
        }
    }
}

/// Who holds what was asked for.
pub fn found(found: &Found) -> impl Serialize {
    let Found { asked, is, holds, orphans, unread, .. } = found;
    Event::of("disk", "found", found.at, Holds { asked, is, holds: Rows::whole(holds), orphans: *orphans, unread })
}

#[derive(Serialize)]
struct Holds<'a> {
    asked: &'a str,
    is: &'a str,
    holds: Rows<'a, Hold>,
    orphans: u64,
    unread: &'a [String],
}
