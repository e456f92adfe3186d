//! The `syscalls` probe's part of a snapshot.

use super::{Latency, Who};

/// How calls are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every call, from entry to return.
    Exact,
    /// Only calls that sleep, and of them only the sleeping, seen from the scheduler.
    Blocked,
}

/// System calls of one interval.
#[derive(Clone, Debug)]
pub struct Syscalls {
    pub mode: Mode,
    /// One row per call that occurred, the largest total time first, calls that wait by design below the others (unless
    /// asked for); filters are already applied, `--top` is not.
    pub rows: Vec<Row>,
    /// Sum of `rows`.
    pub total: Row,
    /// Calls over the threshold, by process, the largest total first.
    pub slow: Vec<Account>,
    /// Calls that have not returned, the oldest first.
    pub in_flight: Vec<InFlight>,
    /// The full breakdown, where asked for; the largest total first.
    pub by: Option<Vec<Account>>,
    /// Calls that failed by process, where asked for; the largest total time first.
    pub failing: Option<Vec<Account>>,
    /// Calls that ended in this interval but began before we attached: counted, not timed.
    pub before_start: u64,
}

/// One system call.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub syscall: String,
    /// Times it returned; in blocked mode, times that a caller slept in it.
    pub calls: u64,
    pub errors: u64,
    /// Name and count of the commonest error.
    pub commonest_error: Option<(String, u64)>,
    /// Attempts that a signal cut short (ERESTART…): neither success nor error yet.
    pub interrupted: u64,
    /// Of `calls`: those without a latency.
    pub untimed: u64,
    /// Of `untimed`: calls that ended their task (`exit`, `exit_group`).
    pub unreturned: u64,
    pub latency: Latency,
}

/// What one process (or one cgroup) did with one call.
#[derive(Clone, Debug)]
pub struct Account {
    pub who: Who,
    /// `None` when all calls are added up.
    pub syscall: Option<String>,
    pub calls: u64,
    pub errors: u64,
    pub total_ns: u64,
    /// Exact where this interval holds the caller's longest since start; else the longest that it can have been: no longer
    /// than anybody's in this interval.
    pub max_ns: u64,
}

/// A call that has not returned.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub who: Who,
    pub tid: u32,
    pub syscall: String,
    /// `None`: since before we started.
    pub age_ns: Option<u64>,
}
