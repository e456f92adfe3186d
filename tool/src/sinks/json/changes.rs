//! The `changes` probe's part of a line.

use std::io::Result;

use serde::Serialize;

use super::{Lines, line::Line, row::Rows};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        changes::{self, Change, Watch},
    },
};

pub fn add(lines: &mut Lines, changes: &changes::Changes, snapshot: &Snapshot, _: &View) -> Result<()> {
    let (changes, watched) = (Rows::of(&changes.changes), Rows::whole(&changes.watched));
    lines.add(&Line::of("changes", snapshot, Changes { changes, watched }))
}

#[derive(Serialize)]
struct Changes<'a> {
    changes: Rows<'a, Change>,
    watched: Rows<'a, Watch>,
}
