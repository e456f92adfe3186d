use std::{rc::Rc, time::Duration};

use stillwatch_common::{
    io::owner_id,
    oom::{self, ANON, COUNTERS, Kill, Stall, Step, Task},
};

use super::*;
use crate::{
    oom_report::{Constraint, Killed, Report, Summary, Trigger},
    sample::OomKill,
};

fn task(pid: u32, comm: &[u8; 16]) -> Task {
    Task { owner: owner_id(pid, 7 << 20), comm: *comm, tid: pid, memory_cgroup: u64::from(pid), ..Task::default() }
}

fn told() -> OomKill {
    let mut pages = [0; COUNTERS];
    pages[ANON] = 25;
    // A counter may be below zero for a moment: each CPU keeps a part of it.
    pages[oom::FILE] = -3;
    let kill = Kill {
        at_ns: 5_000,
        victim: task(430, b"victim\0\0\0\0\0\0\0\0\0\0"),
        trigger: task(9, b"trigger\0\0\0\0\0\0\0\0\0"),
        pages,
        limit_cgroup: 77,
        usage_pages: 99,
        limit_pages: 100,
        uid: 1000,
        oom_score_adj: -17,
        have_task: 1,
        tells_free: 1,
        ..Kill::default()
    };
    let mut steps = [None; 3];
    steps[Step::Exited as usize] = Some(6_000);
    OomKill { kill, steps, cmdline: None, report: None, lead_up: None }
}

fn report() -> Report {
    let killed = |pid| Killed { pid, anon_bytes: 1 << 20, memcg: true, ..Killed::default() };
    Report {
        trigger: Some(Trigger { order: 2, gfp: "GFP_KERNEL".into(), pid: Some(9), ..Trigger::default() }),
        summary: Some(Summary {
            constraint: Constraint::Memcg,
            oom_memcg: Some("/a".into()),
            task_memcg: "/a/b".into(),
            pid: 430,
            ..Summary::default()
        }),
        killed: vec![killed(430), killed(431), killed(430)],
        group: Some("/a".into()),
        ..Report::default()
    }
}

#[test]
fn without_the_log_a_kill_is_what_the_programs_saw() {
    let sample = sample::Oom { log_unavailable: Some("not allowed".into()), ..Default::default() };
    let kill = kills::kill(&told(), Timestamp::UNIX_EPOCH, &sample);
    assert_eq!((kill.victim.who.pid, kill.victim.who.comm.as_deref()), (Some(430), Some("victim")));
    assert_eq!((kill.trigger.pid, kill.memory_cgroups), (Some(9), [430, 9]));
    let held = kill.victim.memory.unwrap();
    assert_eq!((held.anon, held.file, held.logged), (25 * page_bytes(), 0, false));
    let scope = kill.scope.unwrap();
    let limit = scope.limit.unwrap();
    assert_eq!((scope.constraint, limit.id, limit.failures), (Constraint::Memcg, 77, None));
    assert_eq!((limit.usage_bytes, limit.limit_bytes), (99 * page_bytes(), Some(100 * page_bytes())));
    assert_eq!((kill.exited, kill.freed), (Some(Duration::from_micros(1)), None));
    assert!(!kill.already_ending && kill.report_unknown.as_deref() == Some("not allowed"));
}

#[test]
fn a_kill_that_the_log_does_not_know_was_ending() {
    let kill = kills::kill(&told(), Timestamp::UNIX_EPOCH, &sample::Oom::default());
    assert!(kill.already_ending && kill.report_unknown.is_some());
}

#[test]
fn with_the_log_it_is_what_that_says() {
    let told = OomKill { report: Some(Rc::new(report())), ..told() };
    let kill = kills::kill(&told, Timestamp::UNIX_EPOCH, &sample::Oom::default());
    assert_eq!(kill.victim.who.cgroup.as_deref(), Some("/a/b"));
    assert_eq!(kill.victim.memory.map(|held| (held.anon, held.logged)), Some((1 << 20, true)));
    assert_eq!(kill.scope.unwrap().cgroup.as_deref(), Some("/a"));
    assert_eq!(kill.allocation.unwrap().order, Some(2));
    assert_eq!((kill.victim.uid, kill.victim.oom_score_adj), (Some(1000), Some(-17)));
}

#[test]
fn those_killed_together_are_told_once_each() {
    let kills = reconstructed(&Rc::new(report()), |_| Timestamp::UNIX_EPOCH);
    let pids: Vec<_> = kills.iter().map(|kill| kill.victim.who.pid).collect();
    assert_eq!(pids, [Some(430), Some(431)]);
    assert_eq!(kills[0].victim.who.cgroup.as_deref(), Some("/a/b"));
    assert!(kills.iter().all(|kill| kill.reconstructed && kill.group.as_deref() == Some("/a")));
}

#[test]
fn waits_are_the_difference_of_two_readings() {
    let waits = |counts: &[(usize, u32)], total_ns| {
        let mut waits = StallOctave { total_ns, max_ns: 900, ..StallOctave::default() };
        counts.iter().for_each(|&(place, count)| waits.counts[place] = count);
        waits
    };
    let key = |pid, octave| Stall { owner: owner_id(pid, 7 << 20), kind: Kind::Memcg as u32, octave };
    let before = sample::Oom {
        stalls: [(key(1, 3), waits(&[(2, 5)], 500)), (key(2, 3), waits(&[(1, 1)], 100))].into(),
        ..Default::default()
    };
    let after = sample::Oom {
        stalls: [
            (key(1, 3), waits(&[(2, 7), (3, 1)], 800)),
            (key(1, 4), waits(&[(0, 2)], 400)),
            (key(2, 3), waits(&[(1, 1)], 100)),
        ]
        .into(),
        victims: vec![1],
        ..Default::default()
    };
    let rows = reclaim(&before, &after, &second());
    assert_eq!(rows.len(), 1, "process 2 did not wait again");
    assert_eq!((rows[0].who.pid, rows[0].kind), (Some(1), Kind::Memcg));
    assert_eq!((rows[0].latency.count, rows[0].latency.total_ns, rows[0].lost_ns), (5, 700, 700));
    assert_eq!(rows[0].who.started, None, "a victim is left alone");
}

fn second() -> Span {
    let at = |second| Moment { clock: Duration::from_secs(second), ..Moment::default() };
    Span { from: at(10), to: at(11) }
}

#[test]
fn what_a_wait_took_before_is_not_of_this_interval() {
    let owner = owner_id(1, 7 << 20);
    let key = Stall { owner, kind: Kind::Sleep as u32, octave: 30 };
    let mut waits = StallOctave { total_ns: 1_500_000_000, max_ns: 1_500_000_000, ..StallOctave::default() };
    waits.counts[0] = 1;
    let inside = wire::Inside { owner, tid: 1, kind: Kind::Sleep as u32, since_ns: 9_200_000_000, seen_ns: 0 };
    let before = sample::Oom { inside: vec![inside], ..Default::default() };
    let ended = |inside| sample::Oom { stalls: [(key, waits)].into(), inside, ..Default::default() };
    let lost_ns = |before: &sample::Oom, after: &sample::Oom| reclaim(before, after, &second())[0].lost_ns;
    assert_eq!(lost_ns(&before, &ended(vec![])), 700_000_000);
    assert_eq!(lost_ns(&sample::Oom::default(), &ended(vec![])), 1_000_000_000, "no more than there is");
    assert_eq!(lost_ns(&before, &ended(vec![inside])), 1_000_000_000, "it was another one that ended");
}
