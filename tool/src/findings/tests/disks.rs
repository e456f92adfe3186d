//! Waits that no user of a disk is the cause of, disks that lie on others, and what was not looked at.

use super::*;
use crate::{
    snapshot::io::{Io, NOT_LOOKED_AT, Stalled},
    table::Why,
};

fn io(change: impl FnOnce(&mut Io)) -> Snapshot {
    with(quiet(), |snapshot| change(snapshot.io.as_mut().unwrap()))
}

/// A writer behind a limit, beside a neighbour with fast requests.
fn limited(waits: u64, each_ns: u64, request_ns: u64) -> Snapshot {
    io(|io| {
        let row = stalled(victim(), Some("sda"), "write", "direct I/O", waits, each_ns);
        io.stalled = vec![Stalled { io_limit: Some("io.max wbps=204800 of /db".into()), ..row }].into();
        io.devices = vec![disk("sda", request_ns, 100)];
        io.caused_by = vec![cause(culprit(), "sda", 1.0)].into();
    })
}

#[test]
fn who_waits_longer_than_requests_take_is_held_back_and_nobody_is_blamed() {
    let found = only(&limited(3, 300 * MS, 3 * MS));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("held_back", "sda", 0.9));
    assert!(found.statement.contains("io.max wbps=204800 of /db"), "{}", found.statement);
    assert!(found.culprits.is_empty() && found.unknown.is_empty());
    assert!(!holds(&limited(2, 149 * MS, 3 * MS), "held_back"), "too little is lost");
    assert!(!holds(&limited(10, 49 * MS, 3 * MS), "held_back"), "each is short");
    assert!(holds(&limited(3, 300 * MS, 70 * MS), "held_back"), "its requests are slow, but not that slow");
    assert!(holds(&limited(3, 300 * MS, 80 * MS), "device_saturated"));
    let full = with(limited(3, 300 * MS, 40 * MS), |snapshot| {
        let rows = snapshot.io.as_mut().unwrap().stalled.value_mut().into_iter().flatten();
        rows.for_each(|row| row.reason = Known::Value("device queue full".into()));
    });
    assert!(holds(&full, "device_saturated"), "who uses the disk has filled its queue");
}

#[test]
fn the_io_controller_is_named_by_the_stack_whatever_the_disk_does() {
    let waits = |each_ns| {
        io(|io| io.stalled = vec![stalled(victim(), None, "write", "I/O controller throttling", 3, each_ns)].into())
    };
    assert!(holds(&waits(100 * MS), "held_back") && !holds(&waits(99 * MS), "held_back"));
}

#[test]
fn users_of_a_disk_that_has_pauses_are_not_why_pages_stay_dirty() {
    let throttled = |requests| {
        io(|io| {
            io.stalled = vec![stalled(victim(), None, "write", "dirty-page throttling", 3, 200 * MS)].into();
            io.devices = vec![disk("sda", 9 * MS, requests)];
            io.caused_by = vec![cause(culprit(), "sda", 1.0)].into();
        })
    };
    assert_eq!(first_pid(&only(&throttled(110)).culprits), Some(812));
    let held = only(&throttled(80));
    assert!(held.culprits.is_empty() && held.unknown[0].starts_with("what holds them back"), "{held:#?}");
}

/// A database on a loop device, whose file lies on a disk that somebody else has.
fn stacked(below_ns: u64) -> Snapshot {
    io(|io| {
        io.stalled = vec![stalled(victim(), Some("loop2"), "fdatasync", "flush", 3, 300 * MS)].into();
        io.devices = vec![disk("loop2", 300 * MS, 3), disk("loop1", below_ns, 100)];
        io.below = [("loop2".to_owned(), vec!["loop1".to_owned()])].into();
        io.caused_by = vec![cause(victim(), "loop2", 1.0), cause(culprit(), "loop1", 0.78)].into();
    })
}

#[test]
fn the_disk_below_and_its_users_are_named() {
    let found = look(&stacked(100 * MS)).into_iter().find(|found| found.rule == "sync_stall").unwrap();
    assert!(found.statement.ends_with("it lies on loop1: rsync 812 has 78% of its time"), "{}", found.statement);
    assert_eq!(found.next, "stillwatch io -d loop1 --blame --stacks");
    assert_eq!((found.culprits.len(), first_pid(&found.culprits)), (1, Some(812)));
    let alone = only(&stacked(MS));
    assert!(alone.statement.ends_with("; postgres 430 has 100% of its time"), "{}", alone.statement);
}

#[test]
fn a_victim_is_not_its_own_culprit_while_others_have_the_disk() {
    let shared = |other: f64| {
        with(busy_disk(50 * MS, "read", 10, 30 * MS), |snapshot| {
            let rows = vec![cause(victim(), "sda", 1.0 - other), cause(culprit(), "sda", other)];
            snapshot.io.as_mut().unwrap().caused_by = rows.into();
        })
    };
    let found = only(&shared(0.3));
    assert_eq!((found.culprits.len(), first_pid(&found.culprits)), (1, Some(812)));
    assert!(found.statement.ends_with("rsync 812 has 30% of its time and postgres 430 itself has 70% of its time"));
    assert_eq!(first_pid(&only(&shared(0.1)).culprits), Some(430));
}

#[test]
fn many_that_have_little_each_share_a_name_and_less_than_half_is_a_doubt() {
    let writers = |share: f64| {
        with(busy_disk(50 * MS, "read", 10, 30 * MS), |snapshot| {
            let writers = (0..100).map(|pid| cause(who(1000 + pid, "chunkwr", "/jobs"), "sda", share / 100.0));
            snapshot.io.as_mut().unwrap().caused_by = writers.collect::<Vec<_>>().into();
        })
    };
    let found = only(&writers(0.7));
    assert!(found.statement.ends_with("chunkwr × 100 has 70% of its time"), "{}", found.statement);
    assert_eq!((found.confidence(), found.culprits[0].pid), ("high", None));
    assert_eq!(only(&writers(0.49)).confidence(), "medium");
}

#[test]
fn who_flushes_may_only_wait_for_what_others_wrote() {
    let shared = |flushes: f64| {
        with(busy_disk(50 * MS, "read", 10, 30 * MS), |snapshot| {
            let other = |how, share| Cause { how, ..cause(culprit(), "sda", share) };
            let rows = [cause(victim(), "sda", 0.5), other(How::Flush, flushes), other(How::Writeback, 0.5 - flushes)];
            snapshot.io.as_mut().unwrap().caused_by = Vec::from(rows).into();
        })
    };
    let found = only(&shared(0.25));
    assert!(
        found.statement.ends_with("itself has 50% of its time and rsync 812 has 50% of its time in flushes"),
        "{}",
        found.statement
    );
    assert_eq!((first_pid(&found.culprits), found.confidence()), (Some(812), "medium"));
    let found = only(&shared(0.24));
    assert!(found.statement.contains("; rsync 812 has 50% of its time and"), "{}", found.statement);
    assert_eq!(found.confidence(), "high");
}

#[test]
fn a_sync_from_before_the_run_is_told_at_once_and_has_no_made_up_figures() {
    let found = only(&io(|io| {
        let row = stalled(victim(), Some("sda"), "fdatasync", "flush", 0, 0);
        io.stalled = vec![going_on(row, None)].into();
    }));
    assert_eq!((found.rule, found.at_once, found.harm), ("sync_stall", true, 1.0));
    assert!(found.statement.contains("since before this run; it completes nothing"), "{}", found.statement);
    assert_eq!(found.evidence.len(), 1, "no mean of no sync, no p99 of no request: {:#?}", found.evidence);
    let hung = only(&hung(None));
    assert!(hung.evidence.iter().all(|row| !row.what.contains("p99") && !row.what.contains("oldest")));
}

/// A process that has so many requests of so long, and does not sleep.
fn asynchronous(request_ns: u64, requests: u64) -> Snapshot {
    io(|io| {
        io.devices = vec![disk("sda", request_ns, requests)];
        let own = cause(culprit(), "sda", 1.0);
        io.caused_by = vec![Cause { how: How::Direct, ..own }].into();
    })
}

#[test]
fn who_always_has_a_request_with_a_slow_disk_waits_though_it_does_not_sleep() {
    let found = only(&asynchronous(400 * MS, 40));
    assert_eq!((found.rule, found.harm, first_pid(&found.victims)), ("device_saturated", 1.0, Some(812)));
    assert!(found.statement.contains("waits 1s/s for it without sleeping (asynchronous I/O)"), "{}", found.statement);
    assert!(look(&asynchronous(19 * MS, 800)).is_empty(), "the disk is not slow");
    assert!(look(&asynchronous(60 * MS, 14)).is_empty(), "it has no request at times");
    let written_back = with(asynchronous(400 * MS, 40), |snapshot| {
        snapshot.io.as_mut().unwrap().caused_by = vec![cause(culprit(), "sda", 1.0)].into();
    });
    assert!(look(&written_back).is_empty(), "nobody waits for writeback");
    let mut asleep = asynchronous(400 * MS, 40);
    let row = stalled(culprit(), Some("sda"), "read", "direct I/O", 2, 500 * MS);
    asleep.io.as_mut().unwrap().stalled = vec![row].into();
    assert_eq!(only(&asleep).harm, 1.0, "no time is lost twice");
}

/// So many frozen, of which 64 were looked at.
fn frozen(tasks: u32) -> Snapshot {
    let row = |pid: u32| {
        let reason = match pid {
            0..64 => Known::Value("filesystem frozen".to_owned()),
            _ => Known::Not(Why::NotLookedAt(NOT_LOOKED_AT.into())),
        };
        let row = stalled(who(1000 + pid, "appwriter", "/app"), None, "write", "", 0, 0);
        Stalled { reason, ..going_on(row, Some(9 * SECOND)) }
    };
    io(|io| io.stalled = (0..tasks).map(row).collect::<Vec<_>>().into())
}

#[test]
fn what_was_not_looked_at_is_told_with_what_is_like_it() {
    let found = only(&frozen(300));
    assert_eq!((found.rule, found.subject.as_str(), found.victims.len()), ("stuck_tasks", "filesystem frozen", 300));
    assert!(
        found.statement.ends_with("on \"filesystem frozen\"; 236 of them were not looked at"),
        "{}",
        found.statement
    );
    assert!(only(&frozen(64)).statement.ends_with("on \"filesystem frozen\""));
}
