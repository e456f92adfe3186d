//! What the `log` probe found.

use std::time::Duration;

use jiff::Timestamp;

use super::Moment;
use crate::log_line::{Harm, Severity, TimeOf};

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub sources: Vec<LogSource>,
    /// Since the last sample, of each source in the order in which they came.
    pub lines: Vec<Said>,
    /// The same lines of the kernel that mean harm: the first of many.
    pub harm: Vec<(Said, Harm)>,
}

/// A log that is followed.
#[derive(Clone, Debug)]
pub struct LogSource {
    pub name: String,
    /// Or why nothing is known of it.
    pub counts: Result<LineCounts, String>,
    /// Lines until so long ago: until the begin of what is usual.
    pub earlier: Option<(Duration, u64)>,
}

/// Since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub lines: u64,
    /// Of these, those that are not handed on.
    pub left_out: u64,
    /// Of these, those that were counted, and not looked at.
    pub unread: u64,
    /// Of severity error and worse.
    pub errors: u64,
    /// That mean harm.
    pub harm: u64,
    /// There was no line like it lately.
    pub new: u64,
    /// What was not even counted, because there was too much of it.
    pub skipped_bytes: u64,
}

/// A line, and what is known of it.
#[derive(Clone, Debug)]
pub struct Said {
    pub source: String,
    pub at: LineAt,
    pub time_of: TimeOf,
    pub severity: Option<Severity>,
    pub unit: Option<String>,
    pub ident: Option<String>,
    pub pid: Option<u32>,
    pub comm: Option<String>,
    pub cgroup: Option<String>,
    /// `None`: it is not known what was there before.
    pub new: Option<bool>,
    /// Of the whole line.
    pub bytes: u64,
    pub text: String,
    /// Bytes of it that are no text are written as `\xff`.
    pub encoded: bool,
}

impl Said {
    /// `now`: when it was read, or later.
    pub fn moment(&self, now: Moment) -> Timestamp {
        match self.at {
            LineAt::Clock(ns) => now.wall_at(ns),
            LineAt::Wall(at) => at,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineAt {
    /// On the clock of the programs.
    Clock(u64),
    Wall(Timestamp),
}
