//! The `syscalls` probe's part of a snapshot.

use std::{cmp::Reverse, time::Duration};

use serde::{Deserialize, Serialize};
use stillwatch_common::syscalls::CallWait;

use super::{
    Latency, Who,
    who::{FileServer, about},
};
pub use crate::asked::Mode;
use crate::{
    reasons::Kind,
    syscall_names,
    table::{Bounded, Known, Reason, placed, table},
};

/// Reasons why something is not known.
pub const NOT_TIMED: &str = "no call has a latency";
pub const BLOCKED: &str = "blocked mode";
pub const BEFORE_START: &str = "since before start";

/// System calls of one interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Syscalls {
    pub mode: Mode,
    /// One row per call that occurred, the largest total time first, calls that wait by design below the others (unless
    /// asked for); filters are already applied, `--top` is not.
    pub rows: Vec<Call>,
    /// Sum of `rows`.
    pub total: Call,
    /// Calls over the threshold, by process, the largest total first.
    pub slow: Bounded<SlowCalls>,
    /// Calls that have not returned, the oldest first.
    pub in_flight: Bounded<InFlight>,
    /// How long ago all tasks were looked at for calls that have not returned: others may have begun since. None: now.
    pub looked_ago: Option<Duration>,
    /// The full breakdown, where asked for; the largest total first.
    pub by: Option<Bounded<CallsBy>>,
    /// What calls failed with.
    pub failed: Vec<Failed>,
    /// The same by process, where asked for.
    pub failing: Option<Vec<Failing>>,
    /// Calls that ended in this interval but began before we attached: counted, not timed.
    pub before_start: u64,
}

/// A call that failed in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    pub syscall: String,
    pub errno: String,
    pub count: u64,
}

/// The same of one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failing {
    pub who: Who,
    pub syscall: String,
    pub errno: String,
    pub errors: u64,
    /// How often it made this call; known of `connect`.
    pub tried: Option<u64>,
}

table! {
    /// One system call.
    pub struct Call in "syscalls.syscalls" {
        /// Its name; none where all of them are added up.
        syscall: String = label().sparse(), text [own("SYSCALL", "syscall").least(15)];
        /// Times it returned.
        calls: Option<u64> = counter("calls").source("sys_exit").optional(), text [rate("CALLS/s").least(7)];
        /// In blocked mode, times that a caller slept in it.
        sleeps: Option<u64> = counter("sleeps").source("sched_switch").optional(), text [rate("SLEEPS/s").least(8)];
        /// Of `calls`: those that failed.
        errors: Known<u64> = counter("calls").source("sys_exit"), text [rate("ERR/s").least(5)];
        /// What most of these failed with.
        commonest_error: Option<CommonestError> = info().columns(CommonestError::COLUMNS),
            text [own("ERRORS", "error").wide().after("latency")];
        /// Attempts that a signal cut short (ERESTART…): neither success nor error yet.
        interrupted: u64 = counter("calls").source("sys_exit");
        /// Of `calls`: those without a latency.
        untimed: u64 = counter("calls");
        /// Of `untimed`: calls that ended their task (`exit`, `exit_group`).
        unreturned: u64 = counter("calls");
        /// From entry to return; in blocked mode, time asleep. Of no call at all, nothing; not known where none of them was timed.
        latency: Known<Latency> = histogram().empty(NOT_TIMED).parts(&[
            ("p50_ns", "p50_ns"), ("p90_ns", "p90_ns"), ("p99_ns", "p99_ns"), ("p999_ns", "p999_ns"),
            ("max_ns", "max_ns"), ("total_ns", "sum_ns"), ("latency_unknown", "why"), ("histogram", "histogram"),
        ]), text [
            q50("p50").close().least(5),
            q90("p90").close().least(5),
            q99("p99").close().least(5),
            q999("p99.9").close().least(5),
            longest("MAX").close().least(5),
            time_rate("TIME/s").least(6),
            spark(Room::Wide),
        ];
    }

    /// What a call fails with most.
    pub struct CommonestError in "syscalls.commonest_error" {
        /// Its name.
        name: String = label();
        /// Calls that failed with it.
        count: u64 = counter("calls");
    }

    /// Long calls of one process.
    pub struct SlowCalls in "syscalls.slow" {
        /// Who called.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("SLOW"), pid("PID"), cgroup("CGROUP")];
        /// What.
        syscall: String = label(), text [words("SYSCALL").least(15)];
        /// Calls over the threshold; in blocked mode, sleeps.
        count: u64 = counter("calls"), text [count("COUNT").least(5)];
        /// Exact where this interval holds the caller's longest since start; else the longest that it can have been: no longer than
        /// anybody's in this interval.
        max_ns: u64 = gauge("ns").max(), text [duration("MAX").close().least(5)];
        /// All of them together.
        total_ns: u64 = counter("ns"), text [duration("TOTAL").close().least(5)];
    }

    /// A call that has not returned.
    pub struct InFlight in "syscalls.in_flight" {
        /// Who called.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("IN FLIGHT"), pid("PID"), cgroup("CGROUP")];
        /// The thread.
        tid: u32 = label(), text [number("TID").least(7)];
        /// What.
        syscall: String = label(), text [words("SYSCALL").least(15)];
        /// How long ago it began.
        age_ns: Known<u64> = gauge("ns").max(), text [own("AGE", "age").right().least(5)];
        /// What it waits for, in words, where the call takes long and that is known.
        reason: Option<String> = info().source("/proc/PID/stack").optional();
        /// Why that is not known, of a call that takes long and could not be looked at.
        reason_unknown: Option<Reason> = info().optional();
        /// The file system whose server it waits for, if that is known.
        server: Option<FileServer> = info().hidden();
    }

    /// What one process (or one cgroup) did with one call.
    pub struct CallsBy in "syscalls.by" {
        /// Who called.
        who: Who = label().columns(Who::COLUMNS).flat(), text [
            comm("BY PROCESS"), pid("PID"), cgroup("CGROUP"), group("BY CGROUP", "unknown"),
        ];
        /// What; none where all calls are added up.
        syscall: Option<String> = label().optional(), text [words("SYSCALL").least(15).unless_zero()];
        /// Times it returned.
        calls: Option<u64> = counter("calls").source("sys_exit").optional(), text [rate("CALLS/s").least(7)];
        /// In blocked mode, times that a caller slept in it.
        sleeps: Option<u64> = counter("sleeps").source("sched_switch").optional(), text [rate("SLEEPS/s").least(8)];
        /// Of `calls`: those that failed.
        errors: Known<u64> = counter("calls").source("sys_exit"), text [rate("ERR/s").least(5)];
        /// As that of long calls.
        max_ns: u64 = gauge("ns").max(), text [duration("MAX").close().least(5)];
        /// All of them together.
        total_ns: u64 = counter("ns"), text [time_rate("TIME/s").least(6)];
    }
}

impl Mode {
    /// How often, as calls or as sleeps; and errors, where they are seen: the scheduler does not show how a call ends.
    pub fn counts(self, times: u64, errors: u64) -> (Option<u64>, Option<u64>, Known<u64>) {
        match self {
            Self::Exact => (Some(times), None, errors.into()),
            Self::Blocked | Self::Long => (None, Some(times), Known::unknown(BLOCKED)),
        }
    }
}

impl Call {
    /// Of no calls.
    pub fn none(mode: Mode) -> Self {
        let (calls, sleeps, errors) = mode.counts(0, 0);
        Self {
            syscall: String::new(),
            calls,
            sleeps,
            errors,
            commonest_error: None,
            interrupted: 0,
            untimed: 0,
            unreturned: 0,
            latency: Latency::default().into(),
        }
    }

    /// Calls or sleeps.
    pub fn times(&self) -> u64 {
        self.calls.or(self.sleeps).unwrap_or(0)
    }

    /// Time of those that have a latency.
    pub fn timed_ns(&self) -> u64 {
        self.latency.value().map_or(0, |latency| latency.total_ns)
    }
}

impl CallsBy {
    /// Calls or sleeps.
    pub fn times(&self) -> u64 {
        self.calls.or(self.sleeps).unwrap_or(0)
    }
}

impl InFlight {
    /// What of it lies in an interval of this length. Since before the run is at least all of it.
    pub fn lost_ns(&self, interval_ns: u64) -> u64 {
        self.age_ns.value().map_or(interval_ns, |age_ns| (*age_ns).min(interval_ns))
    }

    /// It waits for a server of files, and a signal could end that.
    pub fn is_for_server(&self) -> bool {
        [Kind::Fuse, Kind::NetworkFilesystem].iter().any(|kind| self.reason.as_deref() == Some(kind.words()))
    }
}

about! { SlowCalls: who; InFlight: who; CallsBy: who; Failing: who; }

/// Most of the time goes to waiting by design, on every host: it stands below what somebody may be delayed by.
fn waits_by_design(syscall: &str) -> bool {
    syscall_names::number(syscall).is_some_and(|nr| syscall_names::waits(nr) == CallWait::ByDesign)
}

placed! {
    Call: row => (waits_by_design(&row.syscall), Reverse((row.timed_ns(), row.times())));
    SlowCalls: row => Reverse((row.total_ns, row.count));
    CallsBy: row => Reverse((row.total_ns, row.times()));
}
