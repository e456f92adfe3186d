//! The overview of a quiet host and of one on which everything is wrong.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::{
    findings::fixture::change,
    sinks::{
        io::fixture,
        sample::{HOSTILE, busy, idle, view, who},
    },
    snapshot::{
        changes::{Change, ChangeKind, Did},
        finding::{Evidence, Finding, Open, RuledOut, State, Value},
    },
};

fn open(state: State, at: usize) -> Open {
    let finding = Finding {
        rule: "device_saturated",
        subject: format!("sd{at}"),
        statement: format!("sd{at} is saturated, 64 requests at a time: postgres 430 waits 612ms/s for it"),
        harm: 0.612,
        evidence: vec![
            Evidence { probe: "io", what: format!("sd{at} p99"), value: Value::Nanoseconds(390_000_000) },
            Evidence { probe: "io", what: "waits".into(), value: Value::NanosecondsPerSecond(612_000_000) },
            Evidence { probe: "io", what: "time of it for rsync 812".into(), value: Value::Percent(90.6) },
            Evidence { probe: "io", what: "requests".into(), value: Value::PerSecond(412.4) },
            Evidence { probe: "io", what: "in flight".into(), value: Value::Count(64) },
            Evidence { probe: "oom", what: "memory available".into(), value: Value::Bytes(3 << 30) },
        ],
        victims: vec![who(430, "postgres", "/db")],
        culprits: vec![who(812, HOSTILE, "/backup")],
        doubts: vec!["17 events were lost (task table full)".into()],
        unknown: vec!["whose 9% of its time is: pages dirtied before we started".into()],
        next: format!("stillwatch io -d sd{at} --blame"),
        at_once: false,
    };
    let since: Timestamp = "2026-03-01T14:02:00Z".parse().unwrap();
    Open { finding, state, now: true, since, lasted: Duration::from_secs(12), before_it: before_it(since) }
}

fn before_it(since: Timestamp) -> Vec<Change> {
    let ago = |seconds| since.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap();
    let file = change(ChangeKind::File, Did::Written, HOSTILE, ago(12));
    let package = change(ChangeKind::Package, Did::Upgraded, "libssl3:amd64", ago(240));
    let package = Change {
        from: Some("3.0.1".into()),
        to: Some("3.0.2".into()),
        author: "apt-get upgrade".to_owned().into(),
        ..package
    };
    vec![change(ChangeKind::Link, Did::Changed, "eth0", ago(-1)), file, package]
}

fn fine() -> Findings {
    let row = |area, because: &str| RuledOut { area, because: because.into() };
    Findings {
        ruled_out: vec![row("CPU", "88% idle, run queue p99 310us"), row("memory", "nobody waited, no kill")],
        not_measured: vec!["calls that fail (--exact)".into()],
        ..Findings::default()
    }
}

/// One that holds, one that does not now, and one that is over.
pub fn findings() -> Findings {
    Findings {
        open: vec![open(State::Ongoing, 1), Open { now: false, ..open(State::Ongoing, 2) }],
        over: vec![open(State::Over, 3)],
        ..fine()
    }
}

fn text(snapshot: &Snapshot, view: &View) -> String {
    frame(snapshot, true, view)
}

#[test]
fn a_quiet_host() {
    let snapshot = Snapshot { findings: Some(fine()), ..idle() };
    insta::assert_snapshot!(text(&snapshot, &view()));
}

#[test]
fn a_host_with_a_finding_and_one_that_is_over() {
    let snapshot = Snapshot { findings: Some(findings()), io: Some(fixture::busy()), ..busy() };
    insta::assert_snapshot!(text(&snapshot, &view()));
}

#[test]
fn never_more_than_twenty_lines_and_nothing_that_moves_a_cursor() {
    for width in [100, 120, 200] {
        for number in 0..30 {
            let findings = Findings {
                open: (0..number).map(|at| open(State::Started, at)).collect(),
                over: (0..number).map(|at| open(State::Over, at)).collect(),
                ..fine()
            };
            let snapshot = Snapshot { findings: Some(findings), io: Some(fixture::busy()), ..busy() };
            let text = text(&snapshot, &View { width, limit: width, ..view() });
            let lines = text.lines().count() - 1;
            assert!(lines <= LINES, "{lines} lines with {number} findings at {width} columns:\n{text}");
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
            if number > 6 {
                assert!(text.contains("more finding") && text.contains("are over"), "{text}");
            }
        }
    }
}

/// Its numbers differ each time; its areas are what matters.
#[test]
fn what_is_ruled_out_is_said_when_it_changes_and_at_the_end() {
    let of = |because: &str, areas: usize| {
        let mut found = fine();
        found.ruled_out.truncate(areas);
        found.ruled_out[0].because = because.to_owned();
        Snapshot { findings: Some(found), ..idle() }
    };
    let mut out = Vec::new();
    let mut sink = Overview::new(&mut out, view());
    for (because, areas) in [("first", 2), ("second", 2), ("third", 1), ("fourth", 1)] {
        sink.snapshot(&of(because, areas)).unwrap();
    }
    sink.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    let said = |because: &str| text.matches(because).count();
    assert_eq!(["first", "second", "third", "fourth"].map(said), [1, 0, 1, 1], "{text}");
    assert!(text.ends_with(")\n"), "{text}");
}

#[test]
fn a_kill_is_one_line() {
    let mut out = Vec::new();
    Overview::new(&mut out, view()).kills(&[]).unwrap();
    assert!(out.is_empty());
}

#[test]
fn a_disk_that_completes_nothing_shows_a_dash_for_its_latency() {
    let io = crate::snapshot::io::Io { devices: vec![fixture::hung()], ..fixture::idle() };
    let text = text(&Snapshot { findings: Some(fine()), io: Some(io), ..busy() }, &view());
    assert!(text.contains("sdb read: 0 IO/s, 0 MiB/s, p50 – p99 –, 17 in flight, oldest 42s"), "{text}");
}

#[test]
fn of_logs_harm_and_errors_are_told() {
    let all = crate::sinks::golden::logs();
    let said =
        |snapshot: &Snapshot| rows::of(snapshot, "log").into_iter().flat_map(|(_, rows)| rows).collect::<Vec<_>>();
    assert_eq!(
        said(&all[0]),
        [
            "time stepped: the clock was set back by 3.2s",
            "hung task: INFO: task fio:99 blocked for more than 122 seconds.",
            "/var/log/postgresql/postgresql-15-main.log has 1.02k errors: FATAL:  the database system is shutting down (1 MiB)",
        ]
    );
    assert!(said(&all[1]).is_empty() && said(&all[2]).is_empty());
}
