use std::time::Duration;

use stillwatch_common::io::owner_id;

use super::*;
use crate::sample::{Moment, Stretch, WaitsNow};

const WAITER: OwnerId = owner_id(430, 0);

/// A process that has waited so long since the run began, and who had the CPU for how much of that.
fn sample(total_ns: u64, held: &[(u32, &str, u64)]) -> sample::Cpu {
    let scheduling = wire::Scheduling { policy: 5, static_prio: 120, ..wire::Scheduling::default() };
    let waited = wire::Waited { waits: total_ns, total_ns, scheduling, ..wire::Waited::default() };
    let held = held.iter().map(|&(holder, name, total_ns)| {
        let holder = if holder == 0 { 0 } else { owner_id(holder, 0) };
        let mut comm = [0; 16];
        comm[..name.len()].copy_from_slice(name.as_bytes());
        (wire::Behind { waiter: WAITER, holder }, wire::CpuHeld { total_ns, comm })
    });
    sample::Cpu { waited: [(WAITER, waited)].into(), behind: held.collect(), ..sample::Cpu::default() }
}

fn span() -> Span {
    let at = |second| Moment { clock: Duration::from_secs(second), ..Moment::default() };
    Span { from: at(10), to: at(11) }
}

/// Who is said to have had the CPU in the interval.
fn behind(prev: &sample::Cpu, next: &sample::Cpu) -> Known<Option<(Option<u32>, String)>> {
    let row = waited(prev, next, u64::MAX, &span()).remove(0);
    match row.behind {
        Known::Value(who) => who.map(|who| (who.pid, who.comm.unwrap_or_default())).into(),
        Known::Not(why) => Known::Not(why),
    }
}

fn who(pid: Option<u32>, comm: &str) -> Known<Option<(Option<u32>, String)>> {
    Some((pid, comm.to_owned())).into()
}

#[test]
fn who_had_the_cpu_for_half_of_the_time_is_in_the_way() {
    let before = sample(1_000, &[(1, "old", 1_000)]);
    let after = |held| sample(1_100, held);
    assert_eq!(behind(&before, &after(&[(1, "old", 1_000), (2, "rt-loop", 50)])), who(Some(2), "rt-loop"));
    assert_eq!(behind(&before, &after(&[(1, "old", 1_000), (2, "rt-loop", 49)])), Known::unknown(MANY));
    assert_eq!(behind(&before, &after(&[(0, "", 90), (2, "rt-loop", 10)])), Known::Value(None), "the CPU was idle");
    assert_eq!(behind(&before, &after(&[])), Known::unknown(MANY));
}

#[test]
fn those_of_one_name_are_in_the_way_together() {
    let before = sample(0, &[]);
    let several = sample(100, &[(1, "rustc", 30), (2, "rustc", 30), (3, "cc1", 40)]);
    assert_eq!(behind(&before, &several), who(None, "rustc"));
}

/// The kernel forgets pairs, and notes them anew.
#[test]
fn a_sum_that_fell_began_anew() {
    let after = sample(1_100, &[(2, "rt-loop", 60)]);
    assert_eq!(behind(&sample(1_000, &[(2, "rt-loop", 900)]), &after), who(Some(2), "rt-loop"));
}

#[test]
fn who_has_ended_has_a_class_all_the_same() {
    let rows = waited(&sample(0, &[]), &sample(100, &[]), u64::MAX, &span());
    assert_eq!(rows[0].class.as_deref(), Some("idle"));
}

#[test]
fn what_a_wait_took_before_is_not_of_this_interval() {
    let owner = owner_id(7, 1 << 20);
    let waits = |waits_ns| WaitsNow {
        owner,
        tid: 7,
        cpu: 0,
        comm: [0; 16],
        kernel_thread: false,
        scheduling: wire::Scheduling::default(),
        waits_ns,
    };
    let ended = wire::Waited { waits: 2, total_ns: 1_500_000_000, max_ns: 1_400_000_000, ..Default::default() };
    let lost_ns = |before: Vec<WaitsNow>, after: Vec<WaitsNow>| {
        let prev = sample::Cpu { waiting: before, ..Default::default() };
        let next = sample::Cpu { waiting: after, waited: [(owner, ended)].into(), ..Default::default() };
        waited(&prev, &next, u64::MAX, &span())[0].lost_ns
    };
    assert_eq!(lost_ns(vec![waits(600_000_000)], vec![]), 900_000_000);
    assert_eq!(lost_ns(vec![waits(600_000_000)], vec![waits(200_000_000)]), 900_000_000, "that is a new one");
    assert_eq!(lost_ns(vec![waits(600_000_000)], vec![waits(1_600_000_000)]), 1_500_000_000, "it goes on");
}

#[test]
fn who_ran_between_two_distant_walks_is_a_mean_and_who_waits_now_is_not_known() {
    let times = wire::Times { ran_ns: 2_000_000_000, voluntary: 80, ..wire::Times::default() };
    let mut ran = Ran::default();
    ran.add(&times, Some(1));
    ran.ended = 8;
    let stretch = |ago| Stretch { over: Duration::from_secs(8), ago: Duration::from_secs(ago) };
    let of = |mean| {
        let next = sample::Cpu { ran: [(RanKey::Process(WAITER), ran.clone())].into(), mean, ..Default::default() };
        let plan = plan::Cpu { slow: Duration::ZERO, by: None, interrupts: false };
        between(&sample::Cpu::default(), &next, &span(), &plan)
    };
    let row = |cpu: &Cpu| {
        let row = &cpu.running.value().unwrap()[0];
        (row.ran_ns, row.on[&1], row.voluntary, row.ended)
    };
    let (now, before) = (of(Some(stretch(0))), of(Some(stretch(3))));
    assert_eq!(row(&now), (250_000_000, 250_000_000, 10, 1));
    assert!(now.waiting.is_known() && !before.waiting.is_known());
    assert_eq!(before.running_mean, Some(RunningMean { over_ns: 8_000_000_000, ago_ns: 3_000_000_000 }));
    assert_eq!((row(&of(None)).0, of(None).running_mean), (2_000_000_000, None));
}
