//! Intervals of block I/O made by hand, for the tests of text and JSON.

use crate::{
    sinks::sample::{HOSTILE, gone, idle as nothing, latency, who},
    snapshot::{
        Latency, Snapshot, Who,
        io::{
            AGE_UNKNOWN, BEFORE_START, Blame, Cause, DEVICES_ONLY, Device, How, Io, NO_CALL, NO_DEVICE, NO_QUEUE,
            NOT_TIMED, Op, Request, Stalled, TOO_SHORT,
        },
    },
    table::{Bounded, Known},
};

/// A snapshot of the `io` probe alone.
pub fn of(io: Io) -> Snapshot {
    Snapshot { syscalls: None, io: Some(io), interval: std::time::Duration::from_secs(1), ..nothing() }
}

/// A backup writes to the disk that a database syncs to, and another disk hangs.
pub fn busy() -> Io {
    let times = [(9_000_000, 300), (118_000_000, 80), (402_000_000, 9)];
    let queue = [(310_000_000, 389)];
    let mut writes = device("sda", Op::Write, &queue, &times);
    (writes.bytes, writes.in_flight, writes.oldest_ns) = (188 << 20, 64.into(), Some(2_100_000_000).into());
    let mut syncs = device("sda", Op::SyncWrite, &[(40_000, 23)], &[(9_000_000, 20), (95_000_000, 3)]);
    (syncs.bytes, syncs.errors, syncs.untimed) = (23 << 12, 2, 1);
    let mut mapped = device("dm-0", Op::Read, &[], &[]);
    (mapped.alias, mapped.ios, mapped.bytes) = (Some("vg0-root".into()), 1_009, 1_009 << 12);
    let mapped = mapped.timed(latency(&[]), latency(&[]), latency(&[(110_000, 1_000), (2_000_000, 9)]));
    Io {
        devices: vec![writes, syncs, mapped, hung()],
        stalled: vec![
            Stalled {
                now: 3,
                now_ns: Some(1_100_000_000).into(),
                woken_by: None,
                ..stalled(who(812, "rsync", BACKUP), 41, "write", "writeback throttling", "sda")
            },
            Stalled {
                woken_by: Some("jbd2/sda1-8".into()),
                stack: ["jbd2_log_wait_commit", "ext4_sync_file", "do_fsync"].map(String::from).to_vec(),
                ..stalled(who(430, "postgres", DATABASE), 8, "fsync", "journal commit", "sda")
            },
            Stalled {
                total_ns: 1_000_000_000,
                now: 1,
                now_ns: Known::unknown(BEFORE_START),
                max_ns: Known::unknown(BEFORE_START),
                ..stalled(gone(977), 0, "", "page read", "sdb")
            },
            Stalled {
                kernel_thread: true,
                ..stalled(who(218, "jbd2/sda1-8", "/"), 23, "", "waiting for writeback", "sda")
            },
            stalled(who(7_001, HOSTILE, "/"), 2, "", "", ""),
        ]
        .into(),
        caused_by: vec![
            cause(who(812, "rsync", BACKUP), How::Writeback, 0.906),
            cause(unknown("pages dirtied before we started"), How::Writeback, 0.0561),
            cause(Who::default(), How::Journal, 0.03),
            cause(who(7_001, HOSTILE, "/"), How::Direct, 0.004),
            cause(gone(9_017), How::Read, 0.001),
            Cause {
                device: "dm-0".into(),
                service_ns: Known::unknown(NOT_TIMED),
                share: Known::unknown(NOT_TIMED),
                ..cause(unknown("not followed"), How::Unknown, 0.0)
            },
        ]
        .into(),
        blame: None,
        slow: Vec::new(),
        begun: Vec::new(),
        below: Default::default(),
    }
}

/// 17 requests handed to the driver 42 s ago, and none completed.
pub fn hung() -> Device {
    Device { in_flight: 17.into(), oldest_ns: Some(42_000_000_000).into(), ..device("sdb", Op::Read, &[], &[]) }
}

/// Five requests without a latency, and one in flight of which nobody knows since when.
pub fn untimed() -> Device {
    let device = Device { ios: 5, untimed: 5, oldest_ns: Known::unknown(AGE_UNKNOWN), ..hung() };
    device.timed(latency(&[]), latency(&[]), latency(&[]))
}

pub fn idle() -> Io {
    Io { stalled: Vec::new().into(), caused_by: Vec::new().into(), ..Io::default() }
}

/// `--devices`
pub fn devices_only() -> Io {
    let nvme = device("nvme0n1p1", Op::Read, &[(1_100, 5_003)], &[(81_000, 5_000), (900_000, 3)]);
    Io {
        devices: vec![Device {
            in_flight: Known::not_measured(DEVICES_ONLY),
            oldest_ns: Known::not_measured(DEVICES_ONLY),
            ..nvme
        }],
        ..Io::default()
    }
}

pub fn blame() -> Bounded<Blame> {
    let part = |culprit, how, blamed_ns| Blame {
        victim: who(430, "postgres", DATABASE),
        device: "sda".into(),
        wait_ns: 612_000_000,
        culprit,
        how,
        blamed_ns,
    };
    vec![
        part(who(812, "rsync", BACKUP), How::Writeback, 560_000_000),
        part(who(430, "postgres", DATABASE), How::Flush, 50_000_000),
        part(unknown("pages dirtied before we started"), How::Writeback, 2_000_000),
    ]
    .into()
}

/// One that a device without a request queue failed, among two of the backup.
pub fn slow() -> Vec<Request> {
    let request = |at: &str, total_ns: u64| Request {
        at: at.parse().unwrap(),
        device: "sda".into(),
        op: Op::Write,
        sector: 1_953_525_160,
        bytes: 1_280 << 10,
        failed: false,
        queue_ns: (total_ns / 4).into(),
        service_ns: (total_ns / 4 * 3).into(),
        total_ns,
        who: who(812, "rsync", BACKUP),
        how: How::Writeback,
    };
    let failed = Request {
        device: "dm-0".into(),
        op: Op::SyncWrite,
        bytes: 4 << 10,
        failed: true,
        queue_ns: Known::unavailable(NO_QUEUE),
        service_ns: Known::unavailable(NO_QUEUE),
        who: who(7_001, HOSTILE, "/"),
        how: How::Direct,
        ..request("2026-03-01T14:02:11.502Z", 1_040_000_000)
    };
    vec![request("2026-03-01T14:02:11.25Z", 402_000_000), failed, request("2026-03-01T14:02:11.9Z", 118_000_000)]
}

const DATABASE: &str = "/system.slice/postgresql.service";
const BACKUP: &str = "/system.slice/backup.service";

fn device(name: &str, op: Op, queue: &[(u64, u64)], service: &[(u64, u64)]) -> Device {
    let (queue, service) = (latency(queue), latency(service));
    let device = Device {
        ios: service.count,
        bytes: service.count << 12,
        in_flight: 0.into(),
        oldest_ns: None.into(),
        ..Device::idle(name.into(), name.into(), None, op)
    };
    let total = Latency::merge([&queue, &service]);
    device.timed(queue, service, total)
}

fn stalled(who: Who, waits: u64, syscall: &str, reason: &str, device: &str) -> Stalled {
    let known = |text: &str, why| if text.is_empty() { Known::unknown(why) } else { Known::Value(text.to_owned()) };
    Stalled {
        who,
        kernel_thread: false,
        waits,
        total_ns: waits * 76_500_000,
        lost_ns: waits * 76_500_000,
        max_ns: 390_000_000.into(),
        ended_max_ns: 390_000_000,
        now: 0,
        now_ns: None.into(),
        reason: known(reason, TOO_SHORT),
        syscall: known(syscall, NO_CALL),
        device: known(device, NO_DEVICE),
        disk: (!device.is_empty()).then(|| device.to_owned()),
        io_limit: None,
        server: None,
        woken_by: None,
        stack: Vec::new(),
    }
}

fn cause(who: Who, how: How, share: f64) -> Cause {
    Cause {
        who,
        device: "sda".into(),
        disk: "sda".into(),
        how,
        bytes: (share * 188.0 * 1_048_576.0) as u64,
        ios: (share * 412.0) as u64 + 1,
        service_ns: ((share * 980e6) as u64).into(),
        share: share.into(),
    }
}

fn unknown(why: &'static str) -> Who {
    Who { unknown: Some(why.into()), ..Who::default() }
}
