//! The `io` probe's part of a line.

use std::io::Result;

use serde::Serialize;

use super::{
    Lines,
    line::{Event, Line, ns},
    row::{Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        io::{self, Blame, Cause, Device, Request, Stalled},
    },
};

pub fn add(lines: &mut Lines, io: &io::Io, snapshot: &Snapshot, view: &View) -> Result<()> {
    io.slow.iter().try_for_each(|request| lines.add(&slow(request)))?;
    lines.add(&Line::of("io", snapshot, Io::of(io, view)))
}

#[derive(Serialize)]
struct Io<'a> {
    devices: Rows<'a, Device>,
    /// Reasons are named of waits that are at least this long.
    stall_over_ns: u64,
    stalled: Option<Rows<'a, Stalled>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled_unknown: Option<String>,
    caused_by: Option<Rows<'a, Cause>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by_unknown: Option<String>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    blame: Option<Rows<'a, Blame>>,
}

impl<'a> Io<'a> {
    fn of(io: &'a io::Io, view: &View) -> Self {
        Self {
            devices: Rows::whole(&io.devices),
            stall_over_ns: ns(view.stall),
            stalled: io.stalled.value().map(Rows::of),
            stalled_unknown: io.stalled.why().map(ToString::to_string),
            caused_by: io.caused_by.value().map(Rows::of),
            caused_by_unknown: io.caused_by.why().map(ToString::to_string),
            blame: io.blame.as_ref().map(Rows::of),
        }
    }
}

/// A request over the threshold.
fn slow(request: &Request) -> Event<Row<'_, Request>> {
    Event::of("io", "slow_request", request.at, Row(request))
}

#[cfg(test)]
mod tests;
