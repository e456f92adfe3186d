//! What was said, an event each, and by which logs.

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
        log::{self, LogSource},
    },
};

pub fn add(lines: &mut Lines, log: &log::Log, snapshot: &Snapshot, _: &View) -> Result<()> {
    log.lines.iter().try_for_each(|line| lines.add(&Event::of("log", "line", line.at, Row(line))))?;
    log.harm.iter().try_for_each(|line| lines.add(&Event::of("log", "harm", line.at, Row(line))))?;
    lines.add(&Line::of("log", snapshot, Log { sources: Rows::whole(&log.sources) }))
}

#[derive(Serialize)]
struct Log<'a> {
    sources: Rows<'a, LogSource>,
}
