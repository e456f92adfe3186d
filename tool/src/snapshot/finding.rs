//! What an interval means: findings, and what was looked at and is fine.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Who, changes::Change, ledger::Entry};
use crate::constant::{self, Constant};

/// Of one interval. The most harm first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub open: Vec<Open>,
    /// Those that ended.
    pub over: Vec<Open>,
    /// Areas that were measured and are fine.
    pub ruled_out: Vec<RuledOut>,
    /// Areas of which a figure says that they may not be, and no finding tells why.
    pub unclear: Vec<RuledOut>,
    /// What was not measured, and why: nothing is said about it.
    pub not_measured: Vec<String>,
    /// The most time first.
    pub ledger: Vec<Entry>,
}

/// A finding over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// As of the last interval in which it held.
    pub finding: Finding,
    pub state: State,
    /// It held in this interval.
    pub now: bool,
    /// Begin of the first interval in which it held.
    pub since: Timestamp,
    /// From there to the end of the last in which it held.
    pub lasted: Duration,
    /// What had changed in the ten minutes before it, the last first, and before them what is about the same: not its cause, as far as is known.
    #[serde(default)]
    pub before_it: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Started,
    Ongoing,
    Over,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ongoing => "ongoing",
            Self::Over => "over",
        }
    }
}

/// A statement of fact, with what it rests on. Text in it is safe for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    #[serde(deserialize_with = "constant::read")]
    pub rule: Constant,
    /// With the rule, what makes two findings of two intervals the same one: a device, a cgroup, an address.
    pub subject: String,
    /// One sentence, with numbers and names.
    pub statement: String,
    /// Seconds of processes' time lost per second. A kill and a failure count as much as [`crate::findings::harm`] says.
    pub harm: f64,
    pub evidence: Vec<Evidence>,
    /// Whose time is lost, the most first.
    pub victims: Vec<Who>,
    /// Because of whom, as far as is known; the most first.
    pub culprits: Vec<Who>,
    /// What makes it less certain; each lowers the confidence.
    pub doubts: Vec<String>,
    /// What was not, or could not be, found out.
    pub unknown: Vec<String>,
    /// A command that shows more, and only observes.
    pub next: String,
    /// It is told at once; others have to hold for a while first, so that a moment's peak is none.
    pub at_once: bool,
}

impl Finding {
    pub fn confidence(&self) -> &'static str {
        match self.doubts.len() {
            0 => "high",
            1 => "medium",
            _ => "low",
        }
    }
}

/// One value that a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    #[serde(deserialize_with = "constant::read")]
    pub probe: Constant,
    pub what: String,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Nanoseconds(u64),
    /// Of time, in each second of the interval.
    NanosecondsPerSecond(u64),
    Count(u64),
    PerSecond(f64),
    Percent(f64),
    Bytes(u64),
}

/// An area, with the figures that say that it is fine, or that it may not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuledOut {
    #[serde(deserialize_with = "constant::read")]
    pub area: Constant,
    pub because: String,
}
