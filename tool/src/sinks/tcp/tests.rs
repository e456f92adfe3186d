use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use stillwatch_common::hist;

use super::*;
use crate::{
    cli::{self, Command},
    snapshot::{
        Cost, Latency, Pressure,
        tcp::{Connect, Direction, End, Flow, FlowsBy, Outcome, Remote, Reset, Retransmit, Totals, Window},
    },
};

fn view(args: &str) -> View {
    let words = std::iter::once("stillwatch").chain(args.split(' '));
    let command = cli::parse_from(words, cli::Surroundings::default(), |_| Err("none".into())).unwrap();
    let Command::Run(plan) = command else { panic!("{args}") };
    View { zone: TimeZone::UTC, width: 120, ..View::of(&plan) }
}

fn end(address: &str, port: u16) -> End {
    End { address: address.parse().unwrap(), port }
}

fn who(pid: u32, comm: &str) -> Who {
    Who { comm: Some(comm.into()), cgroup: Some("/a".into()), ..Who::living(pid) }
}

fn snapshot() -> Snapshot {
    let at: Timestamp = "2026-03-01T12:00:00.25Z".parse().unwrap();
    let event = Retransmit {
        at,
        owners: Owners { who: who(430, "post\x1bgres"), ..Owners::default() },
        local: end("10.0.0.1", 5432),
        remote: end("10.0.0.2", 40000),
        netns: None,
        state: "established",
        kind: Kind::Timeout,
        segments: 2,
        bytes: 2896,
        retransmits: 3,
        backoff: 2,
        srtt_us: Some(412),
        window: Some(Window { cwnd: 1, ssthresh: Some(7), in_flight: 2 }),
        failed: None,
    };
    let shared = vec![who(7, "nginx"), who(8, "nginx")];
    let other = Retransmit {
        owners: Owners { who: who(7, "nginx"), shared, past: false },
        local: end("fd00::1", 443),
        remote: end("fd00::2", 50000),
        netns: Some(4026532000),
        kind: Kind::SynAck,
        segments: 1,
        bytes: 0,
        srtt_us: None,
        window: None,
        failed: Some(libc::ENOBUFS),
        ..event.clone()
    };
    let flow = Flow {
        group: None,
        connections: 1,
        owners: Owners { past: true, ..event.owners.clone() },
        ends: Some((event.local, event.remote)),
        netns: None,
        state: Some("fin-wait-1"),
        kind: Some(Kind::Timeout),
        attempts: 1,
        failed: 0,
        segments: 2,
        bytes: 2896,
        sent: Some((200, 3)),
        srtt_us: Some(412),
    };
    let connect = |outcome, error, waited| Connect {
        at,
        who: who(31, "curl\x07"),
        local: event.local,
        remote: end("10.0.0.9", 80),
        netns: None,
        outcome,
        error,
        waited,
    };
    let remote = Remote {
        end: end("10.0.0.9", 80),
        netns: Some(4026532000),
        outcomes: [3, 2, 0, 0, 1, 0, 0, 0],
        latency: Latency::new(
            vec![(hist::bucket(90_000), 2), (hist::bucket(1_030_000_000), 1)],
            1_030_180_000,
            1_030_000_000,
        ),
    };
    let failing =
        Remote { outcomes: [0, 0, 0, 0, 0, 0, 0, 4], latency: Latency::default(), netns: None, ..remote.clone() };
    let tcp = Tcp {
        connects: vec![
            connect(Outcome::Established, None, Some(Duration::from_millis(1030))),
            connect(Outcome::Refused, Some(libc::ECONNREFUSED), Some(Duration::from_micros(90))),
            connect(Outcome::Other, Some(libc::EACCES), None),
        ],
        remotes: vec![failing, remote],
        resets: vec![
            Reset {
                at,
                owners: event.owners.clone(),
                local: event.local,
                remote: event.remote,
                netns: None,
                state: Some("established"),
                direction: Direction::Sent,
                reason: Some("tcp disconnect with data".into()),
            },
            Reset {
                at,
                owners: Owners::default(),
                local: event.local,
                remote: event.remote,
                netns: None,
                state: None,
                direction: Direction::Received,
                reason: None,
            },
        ],
        reset_totals: [1, 2],
        opened: [3, 2, 0, 0, 1, 0, 0, 4],
        totals: Totals { segments: 3, by_kind: [2, 0, 0, 0, 1, 0], attempts: 2, failed: 1, bytes: 2896, sampled: 5 },
        events: vec![event, other],
        flows: vec![flow],
        network: [("retrans_segs", 3), ("timeouts", 1)].into(),
        ..Tcp::default()
    };
    Snapshot {
        at,
        interval: Duration::from_secs(1),
        cost: Cost::default(),
        pressure: Ok(Pressure::default()),
        syscalls: None,
        io: None,
        tcp: Some(tcp),
        oom: None,
    }
}

fn text(snapshot: &Snapshot, args: &str) -> String {
    let mut text = String::new();
    draw(&mut text, snapshot.tcp.as_ref().unwrap(), snapshot, &view(args));
    text
}

#[test]
fn totals_events_and_connections() {
    insta::assert_snapshot!(text(&snapshot(), "tcp"));
}

#[test]
fn only_the_latest_events_and_nothing_else() {
    let mut snapshot = snapshot();
    snapshot.tcp.as_mut().unwrap().events_only = true;
    let text = text(&snapshot, "tcp --events --top 1");
    assert!(text.contains("synack") && !text.contains("rto") && !text.contains("sent again"), "{text}");
    assert!(text.contains("1 more (--top 2 shows all)"), "{text}");
}

#[test]
fn rows_of_groups_say_how_many_connections_they_are() {
    let mut snapshot = snapshot();
    let tcp = snapshot.tcp.as_mut().unwrap();
    tcp.by = Some(FlowsBy::Remote);
    tcp.flows[0].group = Some("10.0.0.2".into());
    tcp.flows[0].connections = 3;
    let text = text(&snapshot, "tcp --by remote");
    assert!(text.contains("CONNS  REMOTE\n") && text.contains("    3  10.0.0.2\n"), "{text}");
}

#[test]
fn a_quiet_interval_says_so() {
    let mut snapshot = snapshot();
    snapshot.tcp = Some(Tcp::default());
    assert_eq!(text(&snapshot, "tcp"), "nothing was sent again in this interval\n");
}
