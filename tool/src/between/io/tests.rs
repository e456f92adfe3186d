use std::{collections::HashMap, time::Duration};

use stillwatch_common::io::{self as wire, DeviceCounts, NO_CALL, Owner, Request, owner_id, row_key};

use super::*;
use crate::{
    cli::plan,
    snapshot::io::{HELD_BACK, TOO_SHORT},
};

const SDA: u32 = 8 << 20;
const SDA1: u32 = SDA | 1;
const SDB: u32 = SDA | 16;
const SECOND: u64 = 1_000_000_000;

fn plan() -> plan::Io {
    plan::Io {
        devices_only: false,
        only: vec![],
        stall: Duration::from_millis(1),
        slow: None,
        stacks: false,
        blame: true,
        kernel_threads: false,
    }
}

fn device(name: &str, disk: u32) -> BlockDevice {
    BlockDevice { name: name.into(), disk, ..BlockDevice::default() }
}

fn between(before: sample::Io, after: sample::Io, plan: &plan::Io) -> Io {
    let devices = HashMap::from([(SDA, device("sda", SDA)), (SDA1, device("sda1", SDA)), (SDB, device("sdb", SDB))]);
    let sample = |io: sample::Io| {
        let requests = Some(io.requests.clone().unwrap_or_default());
        sample::Io { devices: devices.clone(), requests, ..io }
    };
    let at = |second| Moment { clock: Duration::from_secs(second), ..Moment::default() };
    super::between(&sample(before), &sample(after), &Span { from: at(10), to: at(11) }, plan)
}

fn work(ios: u64, service_ns: u64) -> wire::Work {
    wire::Work { bytes: ios << 12, ios, service_ns }
}

#[test]
fn a_disk_that_completes_nothing_has_a_row() {
    let row = |key| (key, DeviceCounts::default());
    let rows = vec![row(row_key(SDA1, 0)), row(row_key(SDB, 1)), row(0)];
    let request = Request { queued_ns: 4 * SECOND, row: 1, dev: SDB, ..Request::default() };
    let after = sample::Io {
        rows: rows.clone(),
        requests: Some(vec![request, Request { queued_ns: 7 * SECOND, ..request }]),
        unseen: vec![(SDA, [0, 3])],
        ..sample::Io::default()
    };
    let io = between(sample::Io { rows, ..sample::Io::default() }, after, &plan());
    let seen = |row: &crate::snapshot::io::Device| {
        (row.device.clone(), row.op, row.in_flight.value().copied(), row.oldest(), row.before_start)
    };
    let mut devices: Vec<_> = io.devices.iter().map(seen).collect();
    devices.sort();
    assert_eq!(
        devices,
        [("sda".into(), Op::Write, Some(3), None, 3), ("sdb".into(), Op::Write, Some(2), Some(7 * SECOND), 0)]
    );
}

#[test]
fn shares_are_of_the_whole_disk_and_a_count_that_fell_began_anew() {
    let (dd, cp) = (owner_id(7, 1 << 30), owner_id(8, 1 << 30));
    let cause = |owner, dev| wire::Cause { owner, dev, how: How::Writeback as u32 };
    let named = |comm: &[u8; 2]| {
        let mut owner = Owner::default();
        owner.comm[..2].copy_from_slice(comm);
        owner
    };
    let before = sample::Io {
        causes: HashMap::from([(cause(dd, SDA1), work(10, 900)), (cause(cp, SDA), work(5, 500))]),
        ..sample::Io::default()
    };
    let after = sample::Io {
        causes: HashMap::from([
            (cause(dd, SDA1), work(4, 300)),
            (cause(cp, SDA), work(6, 600)),
            (cause(Unknown::DirtiedBefore as u64, SDB), work(1, 50)),
        ]),
        owners: HashMap::from([(dd, named(b"dd")), (cp, named(b"cp"))]),
        ..sample::Io::default()
    };
    let mut plan = plan();
    let io = between(before.clone(), after.clone(), &plan);
    let causes = io.caused_by.value().unwrap();
    let seen: Vec<_> =
        causes.iter().map(|it| (it.who.comm.as_deref(), it.device.as_str(), it.ios, it.share.clone())).collect();
    assert_eq!(
        seen,
        [(Some("dd"), "sda1", 4, 0.75.into()), (Some("cp"), "sda", 1, 0.25.into()), (None, "sdb", 1, 1.0.into())]
    );
    assert_eq!(causes[2].who.unknown.as_deref(), Some("pages dirtied before we started"));

    // A disk includes its partitions, a partition is itself.
    for (only, expected) in [("sda", vec!["sda1", "sda"]), ("sda1", vec!["sda1"]), ("sdb", vec!["sdb"])] {
        plan.only = vec![only.into()];
        let io = between(before.clone(), after.clone(), &plan);
        let causes = io.caused_by.value().unwrap();
        assert_eq!(causes.iter().map(|cause| cause.device.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn waits_for_the_same_are_one_row_and_blamed_by_share() {
    let stack = |inner: &str| [inner, "folio_wait_writeback", "ext4_sync_file", "do_fsync"].map(str::to_owned).to_vec();
    let stall = |stack, kernel_thread| wire::Stall {
        stack,
        owner: owner_id(430, 9 << 20),
        dev: SDA1,
        nr: NO_CALL,
        kernel_thread,
        pad: 0,
    };
    let waits = |waits, total_ns, max_ns| wire::Waits { waits, total_ns, max_ns, ..wire::Waits::default() };
    let (dd, cp) = (owner_id(7, 1 << 30), owner_id(8, 1 << 30));
    let cause = |owner| wire::Cause { owner, dev: SDA, how: How::Direct as u32 };
    let before = sample::Io { stalls: HashMap::from([(stall(1, 0), waits(2, 100, 90))]), ..sample::Io::default() };
    let after = sample::Io {
        stalls: HashMap::from([(stall(1, 0), waits(5, 400, 90)), (stall(2, 0), waits(1, 600, 600))]),
        stacks: HashMap::from([(1, Some(stack("io_schedule").into())), (2, Some(stack("folio_wait_bit").into()))]),
        causes: HashMap::from([(cause(dd), work(1, 300)), (cause(cp), work(1, 100))]),
        ..sample::Io::default()
    };
    let io = between(before, after, &plan());
    let rows = io.stalled.value().unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].who.pid, rows[0].who.started), (Some(430), Some(9)));
    assert_eq!((rows[0].waits, rows[0].total_ns, rows[0].max_ns.value(), rows[0].now), (4, 900, Some(&600), 0));
    assert_eq!((rows[0].device.value().map(String::as_str), rows[0].syscall.value()), (Some("sda1"), None));
    assert!(rows[0].reason.value().is_some_and(|reason| reason.contains("writeback")), "{rows:?}");
    let blame: Vec<_> = io.blame.iter().flatten().map(|it| (it.culprit.pid, it.wait_ns, it.blamed_ns)).collect();
    assert_eq!(blame, [(Some(7), 900, 675), (Some(8), 900, 225)]);
}

/// The kernel's names are read once, by a thread that no tick waits for.
#[test]
fn a_wait_whose_names_are_still_read_says_so() {
    let stall =
        wire::Stall { stack: 1, owner: owner_id(430, 9 << 20), dev: SDA, nr: NO_CALL, kernel_thread: 0, pad: 0 };
    let reason = |stacks| {
        let stalls =
            HashMap::from([(stall, wire::Waits { waits: 1, total_ns: 400, max_ns: 400, ..wire::Waits::default() })]);
        let after = sample::Io { stalls, stacks, ..sample::Io::default() };
        let io = between(sample::Io::default(), after, &plan());
        io.stalled.value().unwrap()[0].reason.why().map(ToString::to_string)
    };
    assert_eq!(reason(HashMap::from([(1, None)])).as_deref(), Some("not looked at: not read in time"));
    assert_eq!(reason(HashMap::new()).as_deref(), Some(TOO_SHORT));
}

/// A task that waits at both ends of the interval, or whose wait from before it has ended, on its own or with others.
#[test]
fn time_of_waits_is_that_of_this_interval() {
    let stall =
        |stack| wire::Stall { stack, owner: owner_id(430, 9 << 20), dev: SDA, nr: NO_CALL, kernel_thread: 0, pad: 0 };
    let waits = |waits, total_ns, max_ns| wire::Waits { waits, total_ns, max_ns, ..wire::Waits::default() };
    let waiting = |tid, since_ns| sample::Waiting {
        tid,
        tgid: 430,
        kernel_thread: false,
        since_ns: Some(since_ns),
        comm: "postgres".into(),
        syscall: None,
        stack: Vec::new(),
        not_looked_at: None,
        dev: Some(SDA),
    };
    let lost = |before: Vec<sample::Waiting>, ended: &[(u64, wire::Waits)], after: Vec<sample::Waiting>| {
        let stalls = ended.iter().map(|&(stack, waits)| (stall(stack), waits)).collect();
        let stack = |inner: &str| vec![inner.to_owned()].into();
        let stacks = HashMap::from([(1, Some(stack("submit_bio_wait"))), (2, Some(stack("jbd2_log_wait_commit")))]);
        let after = sample::Io { stalls, stacks, waiting: after, ..sample::Io::default() };
        let io = between(sample::Io { waiting: before, ..sample::Io::default() }, after, &plan());
        let mut lost: Vec<_> = io.stalled.value().unwrap().iter().map(|row| row.lost_ns / 1_000_000).collect();
        lost.sort();
        lost
    };
    let at = |ms: u64| ms * 1_000_000;
    let old = || vec![waiting(431, at(9_400))];
    assert_eq!(lost(old(), &[], old()), [1000], "it goes on");
    assert_eq!(lost(old(), &[(1, waits(1, at(900), at(900)))], vec![]), [300], "600 ms of it were told before");
    assert_eq!(
        lost(old(), &[(1, waits(1, at(900), at(900)))], vec![waiting(431, at(10_800))]),
        [200, 300],
        "and another one began"
    );
    assert_eq!(lost(vec![], &[(1, waits(1, at(5_000), at(5_000)))], vec![]), [1000], "no more than there is");
    let two = [(1, waits(1, at(50), at(50))), (2, waits(1, at(900), at(900)))];
    assert_eq!(lost(old(), &two, vec![]), [50, 300], "the longest is the one that is old");
}

#[test]
fn who_has_requests_under_way_made_them_for_itself() {
    let request = |queued_ns, pid, how| {
        let share = wire::Share { owner: owner_id(pid, 1 << 30), bytes: 4096, how: how as u32 };
        let mut request = Request { queued_ns, dev: SDA1, ..Request::default() };
        request.shares[0] = share;
        request
    };
    let requests = vec![
        request(9 * SECOND, 7, How::Direct),
        request(11 * SECOND - 400, 7, How::Read),
        request(10 * SECOND, 8, How::Writeback),
    ];
    let io = between(sample::Io::default(), sample::Io { requests: Some(requests), ..Default::default() }, &plan());
    let begun: Vec<_> = io.begun.iter().map(|it| (it.who.pid, it.disk.as_str(), it.time_ns)).collect();
    assert_eq!(begun, [(Some(7), "sda", SECOND + 400)]);
}

#[test]
fn the_part_of_a_wait_that_is_longer_than_requests_take_is_nobodys() {
    let stall =
        wire::Stall { stack: 1, owner: owner_id(430, 9 << 20), dev: SDA, nr: NO_CALL, kernel_thread: 0, pad: 0 };
    let waits = wire::Waits { waits: 2, total_ns: 1000, max_ns: 500, ..wire::Waits::default() };
    let dd = wire::Cause { owner: owner_id(7, 1 << 30), dev: SDA, how: How::Direct as u32 };
    let request = Request { queued_ns: 11 * SECOND - 100, row: 0, dev: SDA, ..Request::default() };
    let rows = vec![(row_key(SDA, 0), DeviceCounts::default())];
    let after = sample::Io {
        rows: rows.clone(),
        // The second was made after the interval.
        requests: Some(vec![request, Request { queued_ns: 11 * SECOND + 1, ..request }]),
        stalls: HashMap::from([(stall, waits)]),
        causes: HashMap::from([(dd, work(1, 300))]),
        ..sample::Io::default()
    };
    let io = between(sample::Io { rows, ..sample::Io::default() }, after, &plan());
    let blame: Vec<_> = io.blame.iter().flatten().map(|it| (it.culprit.unknown.as_deref(), it.blamed_ns)).collect();
    assert_eq!(blame, [(Some(HELD_BACK), 800), (None, 200)]);
    assert_eq!((io.devices[0].in_flight.value(), io.devices[0].oldest()), (Some(&1), Some(100)));
}

#[test]
fn a_loop_device_is_blamed_on_who_has_the_disk_below() {
    let loop0 = 7 << 20;
    let cause = |pid, dev| wire::Cause { owner: owner_id(pid, 1 << 30), dev, how: How::Direct as u32 };
    let stall =
        wire::Stall { stack: 1, owner: owner_id(430, 9 << 20), dev: loop0, nr: NO_CALL, kernel_thread: 0, pad: 0 };
    let waits = wire::Waits { waits: 1, total_ns: 500, max_ns: 500, ..wire::Waits::default() };
    let request = |row, dev| Request { queued_ns: 11 * SECOND - 500, row, dev, ..Request::default() };
    let rows = vec![(row_key(loop0, 0), DeviceCounts::default()), (row_key(SDA1, 0), DeviceCounts::default())];
    let on = BlockDevice { below: vec![SDA1], ..device("loop0", loop0) };
    let devices = HashMap::from([(loop0, on), (SDA, device("sda", SDA)), (SDA1, device("sda1", SDA))]);
    let after = sample::Io {
        rows: rows.clone(),
        requests: Some(vec![request(0, loop0), request(1, SDA1)]),
        stalls: HashMap::from([(stall, waits)]),
        causes: HashMap::from([(cause(430, loop0), work(1, 300)), (cause(7, SDA), work(1, 300))]),
        devices,
        ..sample::Io::default()
    };
    let at = |second| Moment { clock: Duration::from_secs(second), ..Moment::default() };
    let only = plan::Io { only: vec!["loop0".into()], ..plan() };
    let before = sample::Io { rows, ..sample::Io::default() };
    let io = super::between(&before, &after, &Span { from: at(10), to: at(11) }, &only);
    assert_eq!(io.below, [("loop0".to_owned(), vec!["sda".to_owned()])].into());
    let blame: Vec<_> = io.blame.iter().flatten().map(|it| (it.device.as_str(), it.culprit.pid)).collect();
    assert_eq!(blame, [("loop0", Some(7))]);
    assert_eq!(io.devices.iter().map(|row| row.device.as_str()).collect::<Vec<_>>(), ["loop0"]);
}
