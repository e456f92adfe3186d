//! The `syscalls` probe's part of a line.

use serde::Serialize;

use super::{latency::histogram, line::ns, who::Who};
use crate::{
    sinks::View,
    snapshot::{
        Latency,
        syscalls::{self, Mode},
    },
};

pub const NOT_TIMED: &str = "no call has a latency";
const BEFORE_START: &str = "since before start";

#[derive(Serialize)]
pub struct Syscalls<'a> {
    mode: &'static str,
    syscalls: Vec<Row<'a>>,
    total: Row<'a>,
    /// Ended in this interval, begun before we attached.
    before_start: u64,
    slow_over_ns: u64,
    slow: Vec<Slow<'a>>,
    in_flight: Vec<InFlight<'a>>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<Account<'a>>>,
}

impl<'a> Syscalls<'a> {
    pub fn of(syscalls: &'a syscalls::Syscalls, view: &View) -> Self {
        let mode = syscalls.mode;
        Self {
            mode: if mode == Mode::Exact { "exact" } else { "blocked" },
            syscalls: syscalls.rows.iter().map(|row| Row::of(row, Some(&row.syscall), mode)).collect(),
            total: Row::of(&syscalls.total, None, mode),
            before_start: syscalls.before_start,
            slow_over_ns: ns(view.slow),
            slow: syscalls.slow.iter().map(Slow::of).collect(),
            in_flight: syscalls.in_flight.iter().map(InFlight::of).collect(),
            by: syscalls.by.as_ref().map(|by| by.iter().map(|account| Account::of(account, mode)).collect()),
        }
    }
}

/// `calls` in exact mode, `sleeps` in blocked mode.
#[derive(Serialize)]
struct Times {
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sleeps: Option<u64>,
    errors: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_unknown: Option<&'static str>,
}

impl Times {
    fn of(mode: Mode, times: u64, errors: u64) -> Self {
        match mode {
            Mode::Exact => Self { calls: Some(times), sleeps: None, errors: Some(errors), errors_unknown: None },
            // How a call ends is not seen from the scheduler.
            Mode::Blocked => {
                Self { calls: None, sleeps: Some(times), errors: None, errors_unknown: Some("blocked mode") }
            }
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall: Option<&'a str>,
    #[serde(flatten)]
    times: Times,
    commonest_error: Option<Commonest<'a>>,
    interrupted: u64,
    untimed: u64,
    unreturned: u64,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
    max_ns: Option<u64>,
    total_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_unknown: Option<&'static str>,
    #[serde(serialize_with = "histogram")]
    histogram: &'a Latency,
}

#[derive(Serialize)]
struct Commonest<'a> {
    name: &'a str,
    count: u64,
}

impl<'a> Row<'a> {
    fn of(row: &'a syscalls::Row, syscall: Option<&'a str>, mode: Mode) -> Self {
        let latency = &row.latency;
        // Without a call, total time is zero; with calls but no latency, it is not known.
        let timed = (latency.count > 0).then_some(latency);
        Self {
            syscall,
            times: Times::of(mode, row.calls, row.errors),
            commonest_error: row.commonest_error.as_ref().map(|(name, count)| Commonest { name, count: *count }),
            interrupted: row.interrupted,
            untimed: row.untimed,
            unreturned: row.unreturned,
            p50_ns: timed.map(|latency| latency.p50_ns),
            p90_ns: timed.map(|latency| latency.p90_ns),
            p99_ns: timed.map(|latency| latency.p99_ns),
            p999_ns: timed.map(|latency| latency.p999_ns),
            max_ns: timed.map(|latency| latency.max_ns),
            total_ns: if row.calls == 0 { Some(0) } else { timed.map(|latency| latency.total_ns) },
            latency_unknown: timed.is_none().then_some(NOT_TIMED),
            histogram: latency,
        }
    }
}

#[derive(Serialize)]
struct Slow<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    syscall: Option<&'a str>,
    count: u64,
    max_ns: u64,
    total_ns: u64,
}

impl<'a> Slow<'a> {
    fn of(account: &'a syscalls::Account) -> Self {
        Self {
            who: Who::of(&account.who),
            syscall: account.syscall.as_deref(),
            count: account.calls,
            max_ns: account.max_ns,
            total_ns: account.total_ns,
        }
    }
}

#[derive(Serialize)]
struct InFlight<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    tid: u32,
    syscall: &'a str,
    age_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_unknown: Option<&'static str>,
}

impl<'a> InFlight<'a> {
    fn of(call: &'a syscalls::InFlight) -> Self {
        Self {
            who: Who::of(&call.who),
            tid: call.tid,
            syscall: &call.syscall,
            age_ns: call.age_ns,
            age_unknown: call.age_ns.is_none().then_some(BEFORE_START),
        }
    }
}

/// A row of `by`; `syscall` is absent when all calls of the process are added up.
#[derive(Serialize)]
struct Account<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syscall: Option<&'a str>,
    #[serde(flatten)]
    times: Times,
    max_ns: u64,
    total_ns: u64,
}

impl<'a> Account<'a> {
    fn of(account: &'a syscalls::Account, mode: Mode) -> Self {
        Self {
            who: Who::of(&account.who),
            syscall: account.syscall.as_deref(),
            times: Times::of(mode, account.calls, account.errors),
            max_ns: account.max_ns,
            total_ns: account.total_ns,
        }
    }
}
