//! What the `changes` probe found.

use std::time::Duration;

use jiff::Timestamp;

pub use crate::change::{ChangeKind, Did};

/// What was found since the sample before, and what is looked at.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub found: Vec<Change>,
    pub watched: Vec<Watch>,
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub kind: ChangeKind,
    pub did: Did,
    pub what: String,
    pub at: Timestamp,
    /// It was between this look, at which it was not so, and `at`. `None`: the host keeps when it was.
    pub after: Option<Timestamp>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Who did it, in the words of a log.
    pub author: Option<String>,
    /// Whom it is about.
    pub pid: Option<u32>,
    pub cgroup: Option<String>,
    pub source: &'static str,
}

/// Places that are looked at together.
#[derive(Clone, Debug)]
pub struct Watch {
    pub area: &'static str,
    /// What the last look that has ended took of a CPU.
    pub took: Option<Duration>,
    /// For how long a look goes on.
    pub goes_on: Option<Duration>,
    /// What there was no room for, at that look.
    pub left_out: u64,
    /// What could not be looked at.
    pub why: Option<String>,
}
