//! Each rule just above its bounds and just below them, on intervals made by hand.

mod cpu;
mod disks;
mod ledger;
mod network;
mod recorded;
mod space;

use std::collections::VecDeque;

use super::{Scene, fixture::*, ruled_out};
use crate::{
    sinks::sample::{HOSTILE, latency, slow as slow_calls, who},
    snapshot::{
        Lost, Snapshot, Unavailable, Who,
        cpu::{Processor, Running, Scheduler, Throttled, Waiting},
        finding::Finding,
        io::{Cause, How},
        oom::{Kill, Kind as Memory, Reclaim, Scope, Victim},
        syscalls::{Call, Failed, Failing, Mode},
        tcp,
    },
    table::Known,
};

const MS: u64 = 1_000_000;

fn with(mut snapshot: Snapshot, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    change(&mut snapshot);
    snapshot
}

/// Whether the rule says something of it, and nothing else does.
fn holds(snapshot: &Snapshot, rule: &str) -> bool {
    let findings = look(snapshot);
    assert!(findings.iter().all(|finding| finding.rule == rule), "{findings:#?}");
    !findings.is_empty()
}

fn first_pid(list: &[Who]) -> Option<u32> {
    list.first().and_then(|who| who.pid)
}

fn victim() -> Who {
    who(430, "postgres", "/db")
}

fn culprit() -> Who {
    who(812, "rsync", "/backup")
}

fn cause(who: Who, disk: &str, share: f64) -> Cause {
    let (disk, how) = (disk.to_owned(), How::Writeback);
    Cause { who, device: disk.clone(), disk, how, bytes: 1, ios: 1, service_ns: 1.into(), share: share.into() }
}

/// A disk whose requests take so long, and a process that waits for it in this way.
fn busy_disk(request_ns: u64, call: &str, waits: u64, each_ns: u64) -> Snapshot {
    with(quiet(), |snapshot| {
        let io = snapshot.io.as_mut().unwrap();
        io.devices = vec![disk("sda", request_ns, 100)];
        io.stalled = vec![stalled(victim(), Some("sda"), call, "page read", waits, each_ns)].into();
        io.caused_by = vec![cause(culprit(), "sda", 0.91), cause(victim(), "sda", 0.09)].into();
    })
}

#[test]
fn nothing_on_a_quiet_host() {
    assert!(look(&quiet()).is_empty());
}

#[test]
fn a_disk_is_saturated_if_it_is_slow_and_somebody_waits_for_long() {
    let found = only(&busy_disk(50 * MS, "read", 10, 30 * MS));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("device_saturated", "sda", 0.3));
    assert_eq!(
        found.statement,
        "sda is saturated, 5 requests at a time: postgres 430 waits 300ms/s for it; rsync 812 has 91% of its time"
    );
    assert_eq!((first_pid(&found.victims), first_pid(&found.culprits)), (Some(430), Some(812)));
    assert_eq!((found.confidence(), found.next.as_str()), ("high", "stillwatch io -d sda --blame"));
    assert!(look(&busy_disk(50 * MS, "read", 9, 30 * MS)).is_empty(), "too little is lost");
    assert!(look(&busy_disk(50 * MS, "read", 100, 9 * MS)).is_empty(), "short waits are work");
    assert!(look(&busy_disk(19 * MS, "read", 10, 30 * MS)).is_empty(), "the disk is not slow");
}

#[test]
fn what_is_not_known_of_a_cause_is_said() {
    let mut snapshot = busy_disk(50 * MS, "read", 10, 30 * MS);
    let before = Who { unknown: Some("pages dirtied before we started".into()), ..Who::default() };
    snapshot.io.as_mut().unwrap().caused_by = vec![cause(before, "sda", 1.0)].into();
    let found = only(&snapshot);
    assert!(found.culprits.is_empty());
    assert_eq!(found.unknown, ["whose 100% of its time is: pages dirtied before we started"]);
}

#[test]
fn losses_lower_the_confidence() {
    let mut snapshot = busy_disk(50 * MS, "read", 10, 30 * MS);
    snapshot.cost.lost = vec![Lost { cause: "task table full", count: 17 }];
    assert_eq!(only(&snapshot).confidence(), "medium");
}

#[test]
fn syncs_stall_sooner_if_somebody_else_has_the_disk() {
    let found = only(&busy_disk(50 * MS, "fsync", 15, 20 * MS));
    assert_eq!((found.rule, found.harm), ("sync_stall", 0.3));
    assert_eq!(
        found.statement,
        "postgres 430 waits 300ms/s on sda in fsync (page read), at most 20ms; rsync 812 has 91% of its time"
    );
    let alone = |each_ns| {
        with(busy_disk(50 * MS, "fsync", 10, each_ns), |snapshot| {
            snapshot.io.as_mut().unwrap().caused_by = vec![cause(victim(), "sda", 1.0)].into();
        })
    };
    assert!(!holds(&alone(49 * MS), "sync_stall") && holds(&alone(50 * MS), "sync_stall"));
}

#[test]
fn a_disk_hangs_when_it_completes_nothing_for_two_seconds() {
    let found = only(&hung(Some(2 * SECOND)));
    assert_eq!((found.rule, found.at_once), ("io_hung", true));
    assert!(found.statement.starts_with("sdb has completed nothing for 2s, with 17 requests in flight"));
    assert!(look(&hung(Some(2 * SECOND - 1))).is_empty());
    let before = only(&hung(None));
    assert_eq!((before.at_once, before.confidence()), (false, "medium"));
}

#[test]
fn a_task_is_stuck_after_five_seconds_on_what_is_no_disk() {
    let stuck = |now_ns, reason: &str| {
        with(quiet(), |snapshot| {
            let row = going_on(stalled(victim(), None, "write", reason, 0, 0), Some(now_ns));
            snapshot.io.as_mut().unwrap().stalled = vec![row].into();
        })
    };
    let found = only(&stuck(5 * SECOND, "filesystem frozen"));
    assert_eq!((found.rule, found.harm, found.at_once), ("stuck_tasks", 1.0, true));
    assert_eq!(found.statement, "postgres 430 is stuck for 5s on \"filesystem frozen\"");
    assert!(look(&stuck(5 * SECOND - 1, "filesystem frozen")).is_empty());
    assert!(look(&stuck(50 * SECOND, "frozen by the freezer")).is_empty(), "that is meant");
    assert!(holds(&stuck(50 * SECOND, "memory reclaim"), "memory_stall"), "that is another rule's");
}

#[test]
fn writers_that_are_held_back() {
    let throttled = |each_ns| {
        with(quiet(), |snapshot| {
            let row = stalled(culprit(), None, "write", "dirty-page throttling", 3, each_ns);
            snapshot.io.as_mut().unwrap().stalled = vec![row].into();
        })
    };
    assert!(holds(&throttled(100 * MS), "dirty_throttling") && !holds(&throttled(99 * MS), "dirty_throttling"));
}

fn waits_for_memory(kind: Memory, each_ns: u64) -> Snapshot {
    with(quiet(), |snapshot| {
        let latency = latency(&[(each_ns, 10)]);
        let row = Reclaim { who: victim(), kind, lost_ns: latency.total_ns, latency };
        snapshot.oom.as_mut().unwrap().reclaim = vec![row].into();
    })
}

#[test]
fn a_tenth_of_a_second_of_waiting_for_memory() {
    let found = only(&waits_for_memory(Memory::Direct, 10 * MS));
    assert_eq!((found.rule, found.harm, first_pid(&found.victims)), ("memory_stall", 0.1, Some(430)));
    assert_eq!(
        found.statement,
        "postgres 430 waits 100ms/s for memory, mainly to free some themselves; 6 GiB of 8 GiB available"
    );
    assert!(look(&waits_for_memory(Memory::Direct, 9 * MS)).is_empty());
}

#[test]
fn one_who_is_slowed_down_is_in_a_cgroup_above_memory_high() {
    let mut slowed = waits_for_memory(Memory::Sleep, 50 * MS);
    assert_eq!(only(&slowed).subject, "", "it may wait for swap");
    let wait = stalled(victim(), None, "", "memory.high throttling", 10, 50 * MS);
    slowed.io.as_mut().unwrap().stalled = vec![wait].into();
    let found = only(&slowed);
    assert_eq!((found.rule, &*found.subject, first_pid(&found.victims)), ("memory_stall", "/db", Some(430)));
    assert_eq!(
        found.statement,
        "postgres 430 waits 500ms/s for memory, mainly at memory.high; that of /db or of a cgroup above it"
    );
}

#[test]
fn those_of_whom_only_the_name_is_known_are_not_one() {
    let mut snapshot = busy_disk(50 * MS, "read", 0, 0);
    let named = |name: &str| Who { comm: Some(name.into()), ..Who::default() };
    let rows = ["vim", "less"].map(|name| stalled(named(name), Some("sda"), "read", "page read", 10, 50 * MS));
    snapshot.io.as_mut().unwrap().stalled = Vec::from(rows).into();
    let names: Vec<_> = only(&snapshot).victims.into_iter().filter_map(|who| who.comm).collect();
    assert_eq!(names, ["less", "vim"]);
}

fn kill(pid: u32, cgroup: Option<&str>, at: jiff::Timestamp) -> Kill {
    Kill {
        at,
        victim: Victim { who: who(pid, "api", "/shop/api"), ..Victim::default() },
        trigger: who(9, "sidecar", "/shop"),
        memory_cgroups: [0; 2],
        scope: Ok(Scope { constraint: Default::default(), cgroup: cgroup.map(Into::into), limit: None, nodes: None }),
        allocation: None,
        group: None,
        reaped: None,
        exited: None,
        freed: None,
        report: None,
        report_unknown: None,
        already_ending: false,
        lead_up: None,
        reconstructed: false,
    }
}

#[test]
fn kills_come_first_and_are_counted_by_where_memory_ran_out() {
    let snapshot = busy_disk(50 * MS, "read", 1000, 90 * MS);
    let ago = |seconds: u64| snapshot.at.checked_sub(jiff::SignedDuration::from_secs(seconds as i64)).unwrap();
    let look = |kills: &[Kill]| -> Vec<Finding> {
        let kills: VecDeque<Kill> = kills.iter().cloned().collect();
        super::look(&Scene::new(&snapshot, &kills)).0
    };
    let findings = look(&[kill(1, Some("/shop"), ago(20)), kill(2, Some("/shop"), ago(8)), kill(3, None, ago(31))]);
    let rules: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.subject.as_str())).collect();
    assert_eq!(rules, [("oom_kill", "/shop"), ("device_saturated", "sda")], "the host's kill is too old");
    assert_eq!(
        findings[0].statement,
        "2 kills in 12s, the last: the kernel killed api 2 for want of memory: /shop was at its limit; sidecar 9 needed some"
    );
    assert_eq!(first_pid(&findings[0].victims), Some(2));
}

#[test]
fn slow_calls_that_are_no_other_rules() {
    let slow = |call: &str, calls| {
        with(quiet(), |snapshot| {
            snapshot.syscalls.as_mut().unwrap().slow = vec![slow_calls(victim(), call, calls, 100 * MS)].into();
        })
    };
    // `slow_calls` counts half of the longest for each.
    let found = only(&slow("flock", 10));
    assert_eq!((found.rule, found.harm), ("slow_calls", 0.5));
    assert_eq!(found.statement, "postgres 430 spends 500ms/s in flock, at most 100ms a call");
    assert!(look(&slow("flock", 9)).is_empty() && look(&slow("ioctl", 100)).is_empty());
    let mut stalled_too = slow("fsync", 100);
    let row = stalled(victim(), Some("sda"), "fsync", "journal commit", 100, 20 * MS);
    stalled_too.io.as_mut().unwrap().stalled = vec![row].into();
    assert!(look(&stalled_too).is_empty(), "the disk's rule has it");
    let short = stalled(victim(), Some("sda"), "flock", "kernel lock", 1, MS);
    let mut beside = slow("flock", 10);
    beside.io.as_mut().unwrap().stalled = vec![short].into();
    assert!(holds(&beside, "slow_calls"), "a short wait for something else hides nothing");
    let going_on = with(quiet(), |snapshot| {
        snapshot.syscalls.as_mut().unwrap().in_flight = vec![in_flight(victim(), "flock", Some(9 * SECOND))].into();
    });
    assert!(only(&going_on).statement.ends_with("; 1 call has not returned"));
    let hanging = with(quiet(), |snapshot| {
        let call = |pid| in_flight(who(pid, "stat", "/jobs"), "statfs", None);
        snapshot.syscalls.as_mut().unwrap().in_flight = (1..=6).map(call).collect();
    });
    let found = only(&hanging);
    assert_eq!((found.harm, found.victims.len(), found.confidence()), (6.0, 6, "medium"), "one cause is one finding");
    assert_eq!(
        found.statement,
        "stat 1, stat 2 and 4 more spend 6s/s in statfs, since before this run; 6 calls have not returned"
    );
    assert!(found.evidence.iter().all(|one| one.what != "longest"), "no length that nobody measured");
}

#[test]
fn calls_that_fail_by_what_the_error_means() {
    let failing = |errno: &str, errors: u64, calls| {
        with(quiet(), |snapshot| {
            let syscalls = snapshot.syscalls.as_mut().unwrap();
            let row =
                Call { syscall: "openat".into(), calls: Some(calls), errors: errors.into(), ..Call::none(Mode::Exact) };
            (syscalls.mode, syscalls.rows) = (Mode::Exact, vec![row]);
            let (syscall, errno) = ("openat".to_owned(), errno.to_owned());
            syscalls.failed = vec![Failed { syscall: syscall.clone(), errno: errno.clone(), count: errors }];
            syscalls.failing = Some(vec![Failing { who: victim(), syscall, errno, errors, tried: None }]);
        })
    };
    let found = only(&failing("EMFILE", 1, 1000));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("failing_calls", "openat EMFILE", 0.1));
    assert_eq!(first_pid(&found.victims), Some(430));
    assert!(found.statement.contains("EMFILE, Too many open files"), "{}", found.statement);
    assert!(look(&failing("ENOENT", 100_000, 100_000)).is_empty(), "an answer");
    assert!(holds(&failing("EAGAIN", 10_000, 10_000), "failing_calls"));
    assert!(look(&failing("EAGAIN", 9_999, 9_999)).is_empty());
    assert!(
        look(&failing("EACCES", 1_000, 2_001)).is_empty() && holds(&failing("EACCES", 1_000, 2_000), "failing_calls")
    );
    assert!(look(&failing("ENXIO", 1_000, 1_000)).is_empty(), "the end of a file's data");
    // Behind a commoner one, which another process gets.
    let mut masked = failing("EADDRINUSE", 1, 1000);
    let syscalls = masked.syscalls.as_mut().unwrap();
    syscalls.failed.push(Failed { errno: "ENOENT".into(), count: 999, ..syscalls.failed[0].clone() });
    let other = Failing {
        who: Who::living(7),
        errno: "ENOENT".into(),
        errors: 999,
        ..syscalls.failing.as_ref().unwrap()[0].clone()
    };
    syscalls.failing.as_mut().unwrap().push(other);
    let found = only(&masked);
    assert_eq!(
        (found.subject.as_str(), found.victims.len(), first_pid(&found.victims)),
        ("openat EADDRINUSE", 1, Some(430))
    );
    masked.syscalls.as_mut().unwrap().failed[0].count = 0;
    assert!(look(&masked).is_empty());
}

#[test]
fn names_of_the_host_are_harmless() {
    let mut snapshot = busy_disk(50 * MS, "read", 10, 30 * MS);
    let io = snapshot.io.as_mut().unwrap();
    io.stalled.value_mut().into_iter().flatten().for_each(|row| row.who.comm = Some(HOSTILE.into()));
    io.caused_by.value_mut().into_iter().flatten().for_each(|row| row.who.comm = Some(HOSTILE.into()));
    let found = only(&snapshot);
    let texts = found.evidence.iter().map(|row| &row.what).chain([&found.statement, &found.next]);
    for text in texts {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{text:?}");
    }
}
