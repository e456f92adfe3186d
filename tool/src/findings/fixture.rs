//! Intervals made by hand, for the tests of the rules: a quiet host, to which each test adds what it is about.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use crate::{
    sinks::sample::{idle, latency},
    snapshot::{
        Snapshot, Who,
        changes::{Certainty, Change, ChangeKind, Did, NOT_KEPT},
        cpu::{Cpu, MANY, Processor, Scheduler, Waited},
        disk::{Disk, Filesystem, STEADY},
        finding::Finding,
        io::{AGE_UNKNOWN, BEFORE_START, Device, Io, NO_DEVICE, Op, Stalled},
        oom::{Memory, Oom},
        syscalls::{InFlight, Mode},
        tcp::Tcp,
    },
    table::{Bounded, Known},
};

pub const SECOND: u64 = 1_000_000_000;

/// All probes, a second, two idle CPUs.
pub fn quiet() -> Snapshot {
    let mut snapshot = Snapshot { interval: Duration::from_secs(1), ..idle() };
    snapshot.syscalls.iter_mut().for_each(|syscalls| syscalls.mode = Mode::Blocked);
    snapshot.io = Some(Io { stalled: Vec::new().into(), caused_by: Vec::new().into(), ..Io::default() });
    snapshot.tcp = Some(Tcp { drops: Some(Vec::new().into()), ..Tcp::default() });
    snapshot.oom =
        Some(Oom { memory: Memory { total: 8 << 30, available: 6 << 30, ..Memory::default() }, ..Oom::default() });
    snapshot.cpu = Some(cpu());
    let row = filesystem("/", 100 << 30, 60 << 30);
    snapshot.disk = Some(Disk { filesystems: vec![row].into(), ..Disk::default() });
    snapshot
}

/// Something of the host, at a time that it keeps.
pub fn change(kind: ChangeKind, did: Did, what: &str, at: Timestamp) -> Change {
    let (after, from, to, author, who) = (None, None, None, Known::unknown(NOT_KEPT), None);
    let (what, source, certainty) = (what.to_owned(), "statx".to_owned(), Certainty::Kept);
    Change { at, after, kind, did, what, from, to, author, who, certainty, source }
}

pub fn cpu() -> Cpu {
    let idle = |number| Processor { number, idle_ns: SECOND, ..Processor::default() };
    Cpu {
        scheduler: Scheduler { switches: 400, involuntary: 3, ..Scheduler::of(latency(&[(30_000, 200)]), 0) },
        waited: Bounded::default(),
        waiting: Vec::new().into(),
        running: Vec::new().into(),
        running_mean: None,
        by: None,
        throttled: Vec::new().into(),
        processors: vec![idle(0), idle(1)],
        interrupts: None,
        softirqs: Vec::new(),
    }
}

/// A file system that is watched for ten minutes and does not grow, a twentieth of which is kept for root.
pub fn filesystem(mount: &str, size: u64, available: u64) -> Filesystem {
    let free = available + size / 20;
    let used = size - free;
    Filesystem {
        mount: mount.into(),
        source: "/dev/sda1".into(),
        kind: "ext4".into(),
        read_only: false,
        size_bytes: size.into(),
        used_bytes: used.into(),
        free_bytes: free.into(),
        available_bytes: available.into(),
        used_share: (used as f64 / (used + available) as f64).into(),
        grew_bytes: 0.into(),
        bytes_per_s: 0.into(),
        bytes_per_s_10m: 0.into(),
        full_in_ns: Known::unknown(STEADY),
        full_in_10m_ns: Known::unknown(STEADY),
        watched_ns: 600 * SECOND,
        inodes: 65_536.into(),
        inodes_free: 60_000.into(),
        inodes_share: 0.085.into(),
        inodes_full_in_ns: Known::unknown(STEADY),
    }
}

/// Nine long waits for CPU 0, behind nobody in particular.
pub fn waited(who: Who, total_ns: u64) -> Waited {
    let behind = Known::unknown(MANY);
    Waited { who, class: None, waits: 9, total_ns, lost_ns: total_ns, max_ns: total_ns / 9, cpu: 0, behind }
}

/// A disk with as many requests of that length.
pub fn disk(name: &str, length_ns: u64, ios: u64) -> Device {
    let total = latency(&[(length_ns, ios)]);
    Device {
        ios,
        bytes: ios << 20,
        service: total.clone().into(),
        total: total.into(),
        in_flight: 1.into(),
        oldest_ns: Some(length_ns).into(),
        ..Device::idle(name.into(), name.into(), None, Op::Write)
    }
}

/// A disk that completes nothing: 17 requests since so long.
pub fn hung(oldest_ns: Option<u64>) -> Snapshot {
    let mut snapshot = quiet();
    let before_start = if oldest_ns.is_none() { 17 } else { 0 };
    let oldest_ns = oldest_ns.map_or(Known::unknown(AGE_UNKNOWN), |ns| Some(ns).into());
    let idle = Device::idle("sdb".into(), "sdb".into(), None, Op::Read);
    snapshot.io.iter_mut().for_each(|io| {
        io.devices = vec![Device { in_flight: 17.into(), oldest_ns: oldest_ns.clone(), before_start, ..idle.clone() }];
    });
    snapshot
}

/// Waits that ended in the interval.
pub fn stalled(who: Who, disk: Option<&str>, call: &str, reason: &str, waits: u64, each_ns: u64) -> Stalled {
    Stalled {
        who,
        kernel_thread: false,
        waits,
        total_ns: waits * each_ns,
        lost_ns: waits * each_ns.min(SECOND),
        max_ns: each_ns.into(),
        ended_max_ns: each_ns,
        now: 0,
        now_ns: None.into(),
        reason: Known::Value(reason.into()),
        syscall: Known::Value(call.into()),
        device: disk.map_or(Known::unknown(NO_DEVICE), |disk| Known::Value(disk.into())),
        disk: disk.map(Into::into),
        io_limit: None,
        server: None,
        woken_by: None,
        stack: Vec::new(),
    }
}

/// A call of the process that has not returned; `None`: since before the run.
pub fn in_flight(who: Who, call: &str, age_ns: Option<u64>) -> InFlight {
    let age_ns = age_ns.map_or(Known::unknown("since before start"), Known::Value);
    let tid = who.pid.unwrap_or(0);
    InFlight { who, tid, syscall: call.into(), age_ns, reason: None, reason_unknown: None, server: None }
}

/// One that goes on, since so long or since before the run.
pub fn going_on(row: Stalled, age_ns: Option<u64>) -> Stalled {
    let now_ns = age_ns.map_or(Known::unknown(BEFORE_START), |age_ns| Some(age_ns).into());
    Stalled { now: 1, now_ns, lost_ns: row.lost_ns + age_ns.unwrap_or(SECOND).min(SECOND), ..row }
}

/// What all rules say of an interval, without what was before.
pub fn look(snapshot: &Snapshot) -> Vec<Finding> {
    super::look(&super::Scene::new(snapshot, &VecDeque::new())).0
}

/// The one rule that has something to say.
pub fn only(snapshot: &Snapshot) -> Finding {
    let mut findings = look(snapshot);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}
