//! The `syscalls` probe's part of a line.

use std::io::Result;

use serde::Serialize;

use super::{
    Lines,
    line::{Line, ns},
    row::{Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        syscalls::{self, Call, CallsBy, InFlight, Mode, SlowCalls},
    },
};

pub fn add(lines: &mut Lines, syscalls: &syscalls::Syscalls, snapshot: &Snapshot, view: &View) -> Result<()> {
    lines.add(&Line::of("syscalls", snapshot, Syscalls::of(syscalls, view)))
}

#[derive(Serialize)]
struct Syscalls<'a> {
    mode: &'static str,
    syscalls: Rows<'a, Call>,
    total: Row<'a, Call>,
    /// Ended in this interval, begun before we attached.
    before_start: u64,
    slow_over_ns: u64,
    slow: Rows<'a, SlowCalls>,
    in_flight: Rows<'a, InFlight>,
    /// Absent where all tasks were looked at now.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight_looked_ago_ns: Option<u64>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Rows<'a, CallsBy>>,
}

impl<'a> Syscalls<'a> {
    fn of(syscalls: &'a syscalls::Syscalls, view: &View) -> Self {
        Self {
            mode: match syscalls.mode {
                Mode::Exact => "exact",
                Mode::Blocked => "blocked",
                Mode::Long => "long",
            },
            syscalls: Rows::whole(&syscalls.rows),
            total: Row(&syscalls.total),
            before_start: syscalls.before_start,
            slow_over_ns: ns(view.slow),
            slow: Rows::of(&syscalls.slow),
            in_flight: Rows::of(&syscalls.in_flight),
            in_flight_looked_ago_ns: syscalls.looked_ago.map(ns),
            by: syscalls.by.as_ref().map(Rows::of),
        }
    }
}
