//! The fields of a line. What is not known is null or absent, with the reason beside it; never 0.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeSeq};

use crate::{
    sinks::View,
    snapshot::{
        Cost, Latency, Pressure, Snapshot, Stall,
        syscalls::{self, Mode},
    },
};

pub const NOT_TIMED: &str = "no call has a latency";
pub const BEFORE_START: &str = "since before start";
pub const NO_RUN_TIME: &str = "the kernel did not measure the run time of our programs";

#[derive(Serialize)]
pub struct Line<'a> {
    v: u32,
    r#type: &'static str,
    probe: &'static str,
    at: String,
    interval_ns: u64,
    #[serde(rename = "self")]
    own: Own<'a>,
    pressure: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pressure_unavailable: Option<&'a str>,
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

impl<'a> Line<'a> {
    pub fn of(snapshot: &'a Snapshot, view: &View) -> Self {
        let syscalls = &snapshot.syscalls;
        let mode = syscalls.mode;
        Self {
            v: 1,
            r#type: "snapshot",
            probe: "syscalls",
            at: snapshot.at.to_string(),
            interval_ns: ns(snapshot.interval),
            own: Own::of(&snapshot.cost),
            pressure: snapshot.pressure.as_ref().ok().map(Resources::of),
            pressure_unavailable: snapshot.pressure.as_ref().err().map(String::as_str),
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

#[derive(Serialize)]
struct Own<'a> {
    cpu_percent: Option<f64>,
    user_cpu_percent: f64,
    kernel_cpu_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_cpu_percent_unknown: Option<&'static str>,
    rss_bytes: u64,
    kernel_bytes: u64,
    lost: u64,
    lost_by: BTreeMap<&'a str, u64>,
    /// How much is measured; lower levels come with a budget.
    level: &'static str,
}

impl<'a> Own<'a> {
    fn of(cost: &'a Cost) -> Self {
        let kernel = cost.kernel_cpu_percent;
        Self {
            cpu_percent: kernel.map(|_| cost.cpu_percent()),
            user_cpu_percent: cost.user_cpu_percent,
            kernel_cpu_percent: kernel,
            kernel_cpu_percent_unknown: kernel.is_none().then_some(NO_RUN_TIME),
            rss_bytes: cost.rss_bytes,
            kernel_bytes: cost.kernel_bytes,
            lost: cost.lost(),
            lost_by: cost.lost.iter().map(|lost| (lost.cause, lost.count)).collect(),
            level: "full",
        }
    }
}

#[derive(Serialize)]
struct Resources {
    cpu: Share,
    io: Share,
    memory: Share,
}

#[derive(Serialize)]
struct Share {
    some: f64,
    full: f64,
}

impl Resources {
    fn of(pressure: &Pressure) -> Self {
        let share = |stall: Stall| Share { some: stall.some, full: stall.full };
        Self { cpu: share(pressure.cpu), io: share(pressure.io), memory: share(pressure.memory) }
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

/// `[[from_ns, count], …]`, without empty buckets.
fn histogram<S: Serializer>(latency: &&Latency, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(latency.buckets().len()))?;
    for pair in latency.histogram() {
        seq.serialize_element(&pair)?;
    }
    seq.end()
}

#[derive(Serialize)]
struct Who<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'static str>,
}

impl<'a> Who<'a> {
    fn of(who: &'a syscalls::Who) -> Self {
        Self { pid: who.pid, comm: who.comm.as_deref(), cgroup: who.cgroup.as_deref(), unknown: who.unknown }
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

fn ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
