use std::time::Duration;

use crate::{
    cli::plan::By as Whose,
    sinks::{
        View,
        sample::{self, HOSTILE, gone, latency, who},
    },
    snapshot::{
        Snapshot, Who,
        cpu::{Cpu, Processor, Running, Scheduler, Throttled, Waited, Waiting, WaitsBy},
    },
    table::{Bounded, Known},
};

fn snapshot(cpu: Cpu) -> Snapshot {
    Snapshot { syscalls: None, cpu: Some(cpu), ..sample::busy() }
}

pub fn empty() -> Cpu {
    Cpu {
        scheduler: Scheduler::of(latency(&[]), 0),
        waited: Bounded::default(),
        waiting: Vec::new().into(),
        running: Vec::new().into(),
        running_mean: None,
        by: None,
        throttled: Vec::new().into(),
        processors: vec![],
        softirqs: vec![],
        interrupts: None,
    }
}

pub fn busy() -> Cpu {
    let hog = || who(812, "hog", "/batch.slice/backup.service");
    Cpu {
        scheduler: Scheduler {
            switches: 1_500,
            involuntary: 230,
            ..Scheduler::of(latency(&[(2_300, 700), (12_000, 290), (3_100_000, 110), (9_000_000, 2)]), 3)
        },
        waited: vec![
            Waited {
                who: who(430, "postgres", "/postgresql.service"),
                waits: 17,
                total_ns: 61_000_000,
                lost_ns: 61_000_000,
                max_ns: 9_000_000,
                cpu: 1,
                behind: Some(hog()).into(),
                class: None,
            },
            Waited {
                who: who(7, HOSTILE, "/"),
                waits: 1,
                total_ns: 2_000_000,
                lost_ns: 2_000_000,
                max_ns: 2_000_000,
                cpu: 0,
                behind: None.into(),
                class: None,
            },
        ]
        .into(),
        waiting: vec![Waiting {
            who: who(430, "postgres", "/postgresql.service"),
            tid: 431,
            cpu: 1,
            age_ns: 2_200_000,
            ..Waiting::default()
        }]
        .into(),
        running: vec![
            Running {
                ran_ns: 700_700_000,
                on: [(1, 690_000_000), (0, 10_700_000)].into(),
                waited_ns: 290_000_000.into(),
                voluntary: 1,
                involuntary: 211,
                ..Running::none(hog())
            },
            Running {
                ended: 23,
                ran_ns: 120_000_000,
                moved_ns: 120_000_000,
                waited_ns: 1_000.into(),
                ..Running::none(Who { comm: Some("cc1".into()), ..Who::default() })
            },
            Running { ran_ns: 1_000, on: [(0, 1_000)].into(), voluntary: 1, ..Running::none(gone(9_017)) },
        ]
        .into(),
        throttled: vec![Throttled {
            cgroup: "/kubepods/pod7".into(),
            periods: 10,
            throttled: 8,
            throttled_ns: 610_000_000,
            members: Vec::new(),
        }]
        .into(),
        processors: vec![
            Processor {
                number: 0,
                user_ns: 100_000_000,
                idle_ns: 880_000_000,
                softirq_ns: 20_000_000,
                ..Processor::default()
            },
            Processor {
                number: 1,
                user_ns: 900_000_000,
                system_ns: 60_000_000,
                steal_ns: 40_000_000,
                ..Processor::default()
            },
        ],
        softirqs: vec![("net_rx".into(), 12_000), ("timer".into(), 250)],
        ..empty()
    }
}

/// A host that can tell little.
pub fn unknown() -> Cpu {
    let why = "no sched_info";
    let scheduler =
        Scheduler { waits: Known::unavailable(why), run_queue: Known::unavailable(why), ..busy().scheduler };
    Cpu {
        scheduler,
        waiting: Known::unavailable("no iterator"),
        running: Known::unavailable("no iterator"),
        throttled: Known::unavailable("no cgroups"),
        ..busy()
    }
}

fn text(cpu: Cpu, view: &View) -> String {
    let mut text = String::new();
    let snapshot = snapshot(cpu);
    super::draw(&mut text, snapshot.cpu.as_ref().unwrap(), &snapshot, view);
    text
}

#[test]
fn who_waits_and_who_runs() {
    insta::assert_snapshot!(text(busy(), &sample::view()), @r"
    WAITS/s   p50   p90   p99 p99.9   MAX  TIME/s  100ns LATENCY 10s
       1.1k 2.2us 3.1ms 3.1ms   9ms   9ms   364ms    █ ▄   ▂▁
    1.5k context switches/s, 230/s involuntary
    softirqs: net_rx 12k/s, timer 250/s
    3 waits have no length

     CPU   USER SYSTEM   IRQ SOFTIRQ STEAL  IDLE
       1    90%     6%    0%      0%    4%    0%
       0    10%     0%    0%      2%    0%   88%

    WAITED >1ms          PID  CGROUP                    WAITS TOTAL   MAX   CPU  BEHIND
    postgres             430  postgresql.service           17  61ms   9ms     1  hog 812
    \x1b[2J\x07…           7  /                             1   2ms   2ms     0  idle

    WAITING NOW          PID  CGROUP                        TID   CPU    AGE
    postgres             430  postgresql.service            431     1  2.2ms

    RUNNING              PID  CGROUP                      CPU  ON              WAIT/s  SWITCH/s  INVOL/s  ENDED
    hog                  812  backup.service              70%  1: 69%, 0: 1%    290ms       212      211      0
    cc1                    –  –                           12%  –                999ns         0        0     23
    unknown¹            9017  –                           <1%  0: <1%             0ns       1.0        0      0
    ¹ ended before it could be looked up

    THROTTLED                                           PERIODS     OF  TIME/s
    pod7                                                      8     10   609ms
    ");
}

#[test]
fn nothing_happened() {
    insta::assert_snapshot!(text(empty(), &sample::view()), @r"
    nothing waited in a run queue in this interval
    0 context switches/s, 0/s involuntary
    no wait over 1ms
    no task waits now
    nothing ran in this interval
    ");
}

#[test]
fn what_is_not_known_says_why() {
    let text = text(unknown(), &sample::view());
    for part in ["unavailable (no sched_info)", "unavailable (no iterator)", "unavailable (no cgroups)"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("p50") && !text.contains("RUNNING") && !text.contains("WAITED"), "{text}");
}

#[test]
fn by_process_and_by_cgroup() {
    let rows = || {
        Some(
            vec![WaitsBy {
                who: who(430, "postgres", "/postgresql.service"),
                waits: 10,
                latency: latency(&[(3_000, 9), (40_000, 1)]),
            }]
            .into(),
        )
    };
    let process = View { by: Some(Whose::Process), ..sample::view() };
    let drawn = text(Cpu { by: rows(), ..empty() }, &process);
    assert!(drawn.contains("BY PROCESS") && drawn.contains("postgres             430"), "{drawn}");
    let cgroup = View { by: Some(Whose::Cgroup), ..sample::view() };
    let drawn = text(Cpu { by: rows(), ..empty() }, &cgroup);
    assert!(drawn.contains("BY CGROUP") && !drawn.contains(" 430 "), "{drawn}");
}

#[test]
fn names_do_not_steer_the_terminal() {
    let text = text(busy(), &View { slow_waits: Duration::from_millis(10), ..sample::view() });
    assert!(text.contains("WAITED >10ms") && !text.contains(['\x1b', '\u{7}', '\u{202e}']), "{text}");
}
