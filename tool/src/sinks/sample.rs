//! Snapshots made by hand, for the tests of the sinks.

use std::time::Duration;

use jiff::tz::TimeZone;
use stillwatch_common::hist;

use super::View;
use crate::snapshot::{
    Cost, Latency, Lost, Pressure, Snapshot, Stall, Who,
    syscalls::{Account, InFlight, Mode, Row, Syscalls},
};

pub fn view() -> View {
    View {
        top: 4,
        colour: false,
        width: 120,
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
    Snapshot {
        at: "2026-03-01T14:02:12Z".parse().unwrap(),
        interval: Duration::from_millis(250),
        cost: Cost { user_cpu_percent: 0.1, rss_bytes: 9 << 20, ..Cost::default() },
        pressure: Err("PSI is off: boot with psi=1".into()),
        syscalls: Some(Syscalls {
            mode: Mode::Exact,
            rows: Vec::new(),
            total: Row::default(),
            slow: Vec::new(),
            in_flight: Vec::new(),
            by: None,
            failing: None,
            before_start: 0,
        }),
        io: None,
        tcp: None,
        oom: None,
        cpu: None,
        findings: None,
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
    rows[1].calls += 2;
    rows[1].interrupted = 3;
    rows[2].errors = 1_300;
    rows[2].commonest_error = Some(("ENOENT".into(), 1_209));
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
    let total = Row {
        syscall: String::new(),
        calls: sum(|row| row.calls),
        errors: 1_300,
        commonest_error: Some(("ENOENT".into(), 1_209)),
        interrupted: 3,
        untimed: 2,
        unreturned: 0,
        latency: Latency::merge(rows.iter().map(|row| &row.latency)),
    };
    let kernel_writes = Pressure {
        cpu: Stall { some: 12.2, full: 0.0 },
        io: Stall { some: 61.0, full: 43.8 },
        memory: Stall::default(),
    };
    Snapshot {
        at: "2026-03-01T14:02:11.25Z".parse().unwrap(),
        interval: Duration::from_millis(1001),
        cost: Cost {
            user_cpu_percent: 0.04,
            kernel_cpu_percent: Some(0.17),
            rss_bytes: 9 << 20,
            kernel_bytes: 3 << 20,
            lost: vec![Lost { cause: "task table full", count: 17 }],
        },
        pressure: Ok(kernel_writes),
        syscalls: Some(Syscalls {
            mode: Mode::Exact,
            rows,
            total,
            slow: vec![
                account(who(430, "postgres", "/system.slice/postgresql.service"), "fsync", 38, 390_000_000),
                account(who(812, HOSTILE, "/system.slice/backup.service"), "fsync", 2, 41_000_000),
                account(gone(9_017), "openat", 1, 12_000_000),
            ],
            in_flight: vec![
                InFlight { who: who(430, "postgres", "/"), tid: 431, syscall: "fsync".into(), age_ns: None },
                InFlight {
                    who: who(812, "rsync", "/system.slice/backup.service"),
                    tid: 812,
                    syscall: "write".into(),
                    age_ns: Some(1_130_000_000),
                },
            ],
            by: None,
            failing: None,
            before_start: 2,
        }),
        io: None,
        tcp: None,
        oom: None,
        cpu: None,
        findings: None,
    }
}

/// The `syscalls` part of a sample.
pub fn calls(snapshot: &mut Snapshot) -> &mut Syscalls {
    snapshot.syscalls.as_mut().unwrap()
}

/// Clears the screen, sets the title, reverses the direction of text.
pub const HOSTILE: &str = "\x1b[2J\u{7}\u{9b}1m\u{202e}x";

fn row(name: &str, latencies: &[(u64, u64)]) -> Row {
    let latency = latency(latencies);
    Row { syscall: name.into(), calls: latency.count, latency, ..Row::default() }
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

pub fn account(who: Who, syscall: &str, calls: u64, max_ns: u64) -> Account {
    Account { who, syscall: Some(syscall.into()), calls, errors: 0, total_ns: calls * max_ns / 2, max_ns }
}
