use std::{rc::Rc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use stillwatch_common::hist;

use super::*;
use crate::{
    cli::{self, Command},
    oom_report::{Candidate, Constraint, Line, Report},
    snapshot::{
        Latency, Pressure, Who,
        oom::{Allocation, Held, Inside, Kill, LeadUp, Limit, Memory, Reclaim, Scope, Series, Signal, Total, Victim},
    },
};

const MIB: u64 = 1 << 20;

fn view(args: &str) -> View {
    let words = ["stillwatch"].into_iter().chain(args.split(' '));
    let Ok(Command::Run(plan)) = cli::parse_from(words, cli::Surroundings::default(), |_| Err(String::new())) else {
        panic!("{args}");
    };
    View { zone: TimeZone::UTC, width: 120, ..View::of(&plan) }
}

fn who(pid: u32, comm: &str, cgroup: &str) -> Who {
    Who { comm: Some(comm.into()), cgroup: Some(cgroup.into()), ..Who::living(pid) }
}

fn at() -> Timestamp {
    "2026-03-01T14:02:11.25Z".parse().unwrap()
}

pub fn kill() -> Kill {
    let candidate = |pid, comm: &str, rss_pages, oom_score_adj| Candidate {
        pid,
        comm: comm.into(),
        rss_pages,
        oom_score_adj,
        ..Candidate::default()
    };
    let report = Report {
        lines: vec![Line { sequence: 7, at: Duration::from_micros(1_063_313_753), text: "x\u{1b}[2J invoked".into() }],
        candidates: vec![candidate(9, "sidecar", 900, 0), candidate(430, "hog\u{1b}[2J", 12_000, -17)],
        ..Report::default()
    };
    let series = |pid, comm: Option<&str>, values: &[Option<u64>]| Series {
        pid,
        comm: comm.map(Into::into),
        cgroup: Some("/shop.slice/web.service".into()),
        bytes: values.iter().map(|value| value.map(|mib| mib * MIB)).collect(),
    };
    Kill {
        at: at(),
        victim: Victim {
            who: who(430, "hog\u{1b}[2J", "/shop.slice/web.service"),
            cmdline: Some("/usr/bin/hog --all \u{1b}[2J".into()),
            uid: Some(1000),
            oom_score_adj: Some(-17),
            memory: Some(Held {
                anon: 47 * MIB,
                file: 3 * MIB,
                shmem: 0,
                pgtables: 164 << 10,
                swap: None,
                total_vm: 90 * MIB,
                logged: true,
            }),
        },
        trigger: who(9, "sidecar", "/shop.slice/sidecar.service"),
        memory_cgroups: [1, 2],
        scope: Ok(Scope {
            constraint: Constraint::Memcg,
            cgroup: Some("/shop.slice".into()),
            limit: Some(Limit {
                usage_bytes: 50 * MIB,
                limit_bytes: Some(50 * MIB),
                failures: Some(270),
                ..Limit::default()
            }),
            nodes: None,
        }),
        allocation: Some(Allocation { order: Some(2), gfp: "GFP_KERNEL".into() }),
        group: None,
        reaped: Some(Duration::from_millis(3)),
        exited: None,
        freed: Some(Duration::from_millis(12)),
        report: Some(Rc::new(report)),
        report_unknown: None,
        already_ending: false,
        lead_up: Some(Rc::new(LeadUp {
            before: (0..5).rev().map(Duration::from_secs).collect(),
            free: vec![MIB; 5],
            available: [900, 700, 500, 300, 100].map(|mib| mib * MIB).into(),
            swap_used: vec![0; 5],
            pressure_some: vec![None, Some(0.0), Some(2.0), Some(30.0), Some(61.0)],
            pressure_full: vec![None; 5],
            stalled_ns: vec![0, 0, 0, 5_000_000, 900_000_000],
            processes: vec![
                series(Some(430), Some("hog\u{1b}[2J"), &[None, Some(8), Some(16), Some(32), Some(47)]),
                series(Some(9), Some("sidecar"), &[Some(3); 5]),
            ],
            cgroups: vec![series(None, None, &[Some(3), Some(11), Some(19), Some(35), Some(50)])],
            cut_short: 2,
        })),
        reconstructed: false,
    }
}

fn unlogged() -> Kill {
    Kill {
        victim: Victim { who: Who::living(7), ..Victim::default() },
        trigger: Who { unknown: Some("not told".into()), ..Who::default() },
        scope: Err("only the kernel's log says it".into()),
        allocation: None,
        freed: None,
        reaped: None,
        report: None,
        report_unknown: Some("not allowed to read the kernel's log".into()),
        lead_up: None,
        ..kill()
    }
}

pub fn snapshot() -> Snapshot {
    let latency = |waits: &[(u64, u64)]| {
        let buckets = waits.iter().map(|&(ns, count)| (hist::bucket(ns), count)).collect();
        let longest = waits.iter().map(|&(ns, _)| ns).max().unwrap_or(0);
        Latency::new(buckets, waits.iter().map(|(ns, count)| ns * count).sum(), longest)
    };
    let reclaim = |who, kind, waits: &[(u64, u64)]| Reclaim { who, kind, lost_ns: 0, latency: latency(waits) };
    let gone = Who { unknown: Some("ended before it could be looked up".into()), ..Who::living(812) };
    let oom = Oom {
        kills: vec![kill(), unlogged()],
        freed: vec![Kill { freed: Some(Duration::from_millis(3200)), ..kill() }],
        signals: vec![Signal {
            at: at(),
            sender: who(1, "systemd-oomd", "/"),
            target: who(5, "tab", "/"),
            by_oom: false,
        }],
        reclaim: vec![
            reclaim(who(430, "postgres", "/db.service"), Kind::Memcg, &[(90_000, 40), (2_100_000, 3)]),
            reclaim(gone, Kind::Sleep, &[(1_400_000_000, 1)]),
        ]
        .into(),
        totals: [
            Total { waits: 0, total_ns: 0 },
            Total { waits: 43, total_ns: 9_900_000 },
            Total { waits: 0, total_ns: 0 },
            Total { waits: 1, total_ns: 1_400_000_000 },
        ],
        inside: vec![Inside {
            who: who(431, "checkpointer", "/db.service"),
            tid: 433,
            kind: Kind::Direct,
            age: Duration::from_millis(310),
        }]
        .into(),
        limits: vec![
            Limit {
                cgroup: Some("/db.service".into()),
                usage_bytes: 99 * MIB,
                limit_bytes: Some(100 * MIB),
                failures: Some(43),
                id: 1,
            },
            Limit {
                cgroup: Some("/roomy".into()),
                usage_bytes: MIB,
                limit_bytes: Some(100 * MIB),
                failures: Some(0),
                id: 2,
            },
        ]
        .into(),
        vm: [("pgscan_kswapd", 90_000), ("pgsteal_kswapd", 4), ("pswpin", 120), ("pswpout", 0)].into(),
        memory: Memory {
            total: 16 << 30,
            free: 90 * MIB,
            available: 200 * MIB,
            swap_total: 2 << 30,
            swap_free: 1 << 30,
        },
        residents_unavailable: Some("memory of processes unavailable: no iterator".into()),
        ..Oom::default()
    };
    Snapshot { oom: Some(oom), ..Snapshot::new(at(), Duration::from_secs(1), Ok(Pressure::default())) }
}

fn text(snapshot: &Snapshot, args: &str) -> String {
    let mut text = String::new();
    draw(&mut text, snapshot.oom.as_ref().unwrap(), snapshot, &view(args));
    text
}

#[test]
fn kills_and_waits() {
    let text = text(&snapshot(), "oom");
    assert!(!text.contains('\u{1b}'), "what processes are called must not reach the terminal");
    insta::assert_snapshot!(text);
}

#[test]
fn the_kernels_lines_on_request() {
    let text = text(&snapshot(), "oom --log");
    assert!(text.contains("  kernel log\n    [ 1063.313753] x\\x1b[2J invoked\n"), "{text}");
}

#[test]
fn nobody_waits() {
    let mut snapshot = snapshot();
    snapshot.oom = Some(Oom::default());
    let quiet = text(&snapshot, "oom");
    assert_eq!(quiet, "0 B of 0 B available, 0 B free, no swap\nnobody is waiting for memory\n");
}

#[test]
fn scopes_in_words() {
    let scope = |constraint, nodes: Option<&str>| {
        let scope = Scope { constraint, cgroup: None, limit: None, nodes: nodes.map(Into::into) };
        let mut text = String::new();
        kills::draw(&mut text, &Kill { scope: Ok(scope), ..kill() }, &view("oom"));
        text
    };
    assert!(scope(Constraint::None, None).contains("the whole host had no memory left\n"));
    assert!(scope(Constraint::Cpuset, Some("0-1")).contains("its cpuset had no memory left (nodes 0-1)\n"));
    assert!(scope(Constraint::MemoryPolicy, Some("1")).contains("its memory policy had no memory left (nodes 1)\n"));
}

#[test]
fn a_kill_from_before_says_so() {
    let mut text = String::new();
    kills::draw(&mut text, &Kill { reconstructed: true, freed: None, ..kill() }, &view("oom --last"));
    assert!(text.starts_with("2026-03-01 14:02:11.250  OOM KILL  hog\\x1b[2J 430 (reconstructed"), "{text}");
    assert!(text.contains("not known: it was before we started"), "{text}");
}
