//! Snapshots made by hand, for the tests of the sinks.

use std::time::Duration;

use jiff::tz::TimeZone;
use stillwatch_common::hist;

use super::View;
use crate::{
    snapshot::{
        Cost, Latency, Level, Lost, Pressure, Snapshot, StallPercent, Who,
        syscalls::{BEFORE_START, Call, CallsBy, CommonestError, InFlight, Mode, SlowCalls, Syscalls},
    },
    table::{Bounded, Known},
};

pub fn view() -> View {
    View {
        top: 4,
        colour: false,
        width: 120,
        limit: 120,
        zone: TimeZone::UTC,
        slow: Duration::from_millis(10),
        idle: false,
        by: None,
        stall: Duration::from_millis(1),
        slow_requests: None,
        slow_waits: Duration::from_millis(1),
        kernel_threads: false,
        stacks: false,
        log: false,
        whose: false,
        which_devices: false,
        only: String::new(),
    }
}

/// An interval in which nothing happened, and little could be known.
pub fn idle() -> Snapshot {
    let at = "2026-03-01T14:02:12Z".parse().unwrap();
    Snapshot {
        cost: Cost { user_cpu_percent: 0.1, rss_bytes: 9 << 20, ..Cost::default() },
        syscalls: Some(Syscalls {
            mode: Mode::Exact,
            rows: Vec::new(),
            total: Call::none(Mode::Exact),
            slow: Bounded::default(),
            looked_ago: None,
            in_flight: Bounded::default(),
            by: None,
            failed: Vec::new(),
            failing: None,
            before_start: 0,
        }),
        ..Snapshot::new(at, Duration::from_millis(250), Err("PSI is off: boot with psi=1".into()))
    }
}

/// A host that writes backups: slow fsyncs, a few errors, one stuck call, one hostile name.
pub fn busy() -> Snapshot {
    let mut rows = vec![
        row("fsync", &[(3_100_000, 160), (9_400_000, 190), (41_000_000, 38), (390_000_000, 2)]),
        row("read", &[(310, 90_000), (1_200, 21_000), (64_000, 903), (2_100_000, 12)]),
        row("openat", &[(1_900, 3_000), (7_800, 410)]),
        row("epoll_wait", &[(95_000_000, 9), (1_100_000_000, 1)]),
        row("clock_nanosleep", &[(40_050_000, 23)]),
        row("32-bit calls", &[(900, 5)]),
    ];
    rows[1].untimed = 2;
    rows[1].calls = rows[1].calls.map(|calls| calls + 2);
    rows[1].interrupted = 3;
    rows[2].errors = 1_300.into();
    rows[2].commonest_error = Some(CommonestError { name: "ENOENT".into(), count: 1_209 });
    let total = Call {
        calls: Some(rows.iter().map(Call::times).sum()),
        errors: 1_300.into(),
        commonest_error: rows[2].commonest_error.clone(),
        interrupted: 3,
        untimed: 2,
        latency: Latency::merge(rows.iter().filter_map(|row| row.latency.value())).into(),
        ..Call::none(Mode::Exact)
    };
    let at = "2026-03-01T14:02:11.25Z".parse().unwrap();
    let kernel_writes = Pressure {
        cpu: StallPercent { some: 12.2, full: 0.0 },
        io: StallPercent { some: 61.0, full: 43.8 },
        memory: StallPercent::default(),
    };
    Snapshot {
        cost: Cost {
            user_cpu_percent: 0.04,
            kernel_cpu_percent: Some(0.17),
            rss_bytes: 9 << 20,
            kernel_bytes: 3 << 20,
            lost: vec![Lost { cause: "task table full", count: 17 }],
            level: Level { budget_percent: 1.0, without: vec![] },
            level_changed: false,
            pid: Some(4242),
        },
        syscalls: Some(Syscalls {
            mode: Mode::Exact,
            rows,
            total,
            slow: vec![
                slow(who(430, "postgres", "/system.slice/postgresql.service"), "fsync", 38, 390_000_000),
                slow(who(812, HOSTILE, "/system.slice/backup.service"), "fsync", 2, 41_000_000),
                slow(gone(9_017), "openat", 1, 12_000_000),
            ]
            .into(),
            looked_ago: None,
            in_flight: vec![
                InFlight {
                    who: who(430, "postgres", "/"),
                    tid: 431,
                    syscall: "fsync".into(),
                    age_ns: Known::unknown(BEFORE_START),
                    reason: None,
                    reason_unknown: None,
                    server: None,
                },
                InFlight {
                    who: who(812, "rsync", "/system.slice/backup.service"),
                    tid: 812,
                    syscall: "write".into(),
                    age_ns: 1_130_000_000.into(),
                    reason: None,
                    reason_unknown: None,
                    server: None,
                },
            ]
            .into(),
            by: None,
            failed: Vec::new(),
            failing: None,
            before_start: 2,
        }),
        ..Snapshot::new(at, Duration::from_millis(1001), Ok(kernel_writes))
    }
}

/// The `syscalls` part of a sample.
pub fn calls(snapshot: &mut Snapshot) -> &mut Syscalls {
    snapshot.syscalls.as_mut().unwrap()
}

/// Clears the screen, sets the title, reverses the direction of text.
pub const HOSTILE: &str = "\x1b[2J\u{7}\u{9b}1m\u{202e}x";

fn row(name: &str, latencies: &[(u64, u64)]) -> Call {
    let latency = latency(latencies);
    Call { syscall: name.into(), calls: Some(latency.count), latency: latency.into(), ..Call::none(Mode::Exact) }
}

/// The same calls, as the scheduler sees them.
pub fn blocked(snapshot: &mut Snapshot) {
    let calls = calls(snapshot);
    calls.mode = Mode::Blocked;
    for row in calls.rows.iter_mut().chain([&mut calls.total]) {
        (row.calls, row.sleeps, row.errors) = Mode::Blocked.counts(row.times(), 0);
    }
    for row in calls.by.iter_mut().flatten() {
        (row.calls, row.sleeps, row.errors) = Mode::Blocked.counts(row.times(), 0);
    }
}

/// Of (nanoseconds, count), ascending.
pub fn latency(latencies: &[(u64, u64)]) -> Latency {
    let buckets = latencies.iter().map(|&(ns, count)| (hist::bucket(ns), count)).collect();
    let total_ns = latencies.iter().map(|(ns, count)| ns * count).sum();
    Latency::new(buckets, total_ns, latencies.iter().map(|(ns, _)| *ns).max().unwrap_or(0))
}

pub fn who(pid: u32, comm: &str, cgroup: &str) -> Who {
    Who { pid: Some(pid), comm: Some(comm.into()), cgroup: Some(cgroup.into()), ..Who::default() }
}

pub fn gone(pid: u32) -> Who {
    Who { pid: Some(pid), unknown: Some("ended before it could be looked up".into()), ..Who::default() }
}

/// Each takes half of the longest.
pub fn slow(who: Who, syscall: &str, count: u64, max_ns: u64) -> SlowCalls {
    SlowCalls { who, syscall: syscall.into(), count, total_ns: count * max_ns / 2, max_ns }
}

/// The same in the breakdown.
pub fn by(slow: SlowCalls, errors: u64) -> CallsBy {
    let SlowCalls { who, syscall, count, max_ns, total_ns } = slow;
    CallsBy { who, syscall: Some(syscall), calls: Some(count), sleeps: None, errors: errors.into(), max_ns, total_ns }
}
