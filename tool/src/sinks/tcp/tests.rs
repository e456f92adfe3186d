use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use stillwatch_common::hist;

use super::*;
use crate::{
    cli::{self, Command},
    snapshot::{
        Latency, Pressure, Who,
        tcp::{
            Connect, Direction, DropCause, DropSite, Dropped, End, Ends, Events, Flow, FlowsBy, Listener, NO_REASONS,
            Namespace, Outcome, Outcomes, Ports, Remote, Reset, Retransmit, Sent, Sockets, Totals, Window,
        },
    },
    table::Known,
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

pub fn snapshot() -> Snapshot {
    let at: Timestamp = "2026-03-01T12:00:00.25Z".parse().unwrap();
    let event = Retransmit {
        at,
        owners: Owners { who: who(430, "post\x1bgres"), ..Owners::default() },
        local: end("10.0.0.1", 5432),
        remote: end("10.0.0.2", 40000),
        netns: None,
        state: "established".into(),
        kind: RetransmitKind::Timeout,
        segments: 2,
        bytes: 2896,
        retransmits: 3,
        backoff: 2,
        srtt_us: Some(412),
        window: Some(Window { cwnd: 1, ssthresh: Some(7), in_flight: 2 }),
        failed: None,
        zero_window: true,
    };
    let shared = vec![who(7, "nginx"), who(8, "nginx")];
    let other = Retransmit {
        owners: Owners { who: who(7, "nginx"), shared, past: false },
        local: end("fd00::1", 443),
        remote: end("fd00::2", 50000),
        netns: Some(4026532000),
        kind: RetransmitKind::SynAck,
        segments: 1,
        bytes: 0,
        srtt_us: None,
        window: None,
        failed: Some(libc::ENOBUFS),
        zero_window: false,
        ..event.clone()
    };
    let flow = Flow {
        group: None,
        connections: 1,
        owners: Owners { past: true, ..event.owners.clone() },
        ends: Some(Ends { local: event.local, remote: event.remote }),
        netns: None,
        interface: None,
        state: Some("fin-wait-1".into()),
        attempts: 1,
        failed: 0,
        segments: 2,
        bytes: 2896,
        sent: Some(Sent::new(200, 3)),
        trips: Latency::new(vec![(hist::bucket(400_000), 1), (hist::bucket(2_000_000), 1)], 0, u64::MAX),
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
        group: None,
        end: end("10.0.0.9", 80),
        netns: Some(4026532000),
        outcomes: Outcomes([3, 2, 0, 0, 1, 0, 0, 0]),
        latency: Latency::new(
            vec![(hist::bucket(90_000), 2), (hist::bucket(1_030_000_000), 1)],
            1_030_180_000,
            1_030_000_000,
        ),
    };
    let failing = Remote {
        outcomes: Outcomes([0, 0, 0, 0, 0, 0, 0, 4]),
        latency: Latency::default(),
        netns: None,
        ..remote.clone()
    };
    let cause =
        DropCause { reason: Known::Value("netfilter drop".into()), function: Known::Value("nf_hook_slow".into()) };
    let unnamed = DropCause { reason: Known::unavailable(NO_REASONS), function: Known::unknown("hidden") };
    let dropped = Dropped {
        at,
        from: event.remote,
        to: event.local,
        netns: None,
        owners: Owners::default(),
        state: None,
        bytes: 60,
        flags: "S".into(),
        sequence: 0x4545_4545,
        cause: cause.clone(),
        connections_full: None,
    };
    let site = |cause, netns: Option<u32>, packets| DropSite {
        cause,
        port: netns.is_none().then_some(5432),
        netns,
        packets,
        bytes: packets * 1500,
    };
    let listener = Listener {
        local: end("0.0.0.0", 8080),
        netns: Some(4026532000),
        owners: event.owners.clone(),
        dropped: 7,
        queue: Some(129),
        limit: 128,
        half_open: Some(3),
        full: true,
    };
    let events = Events {
        retransmits: vec![event.clone(), other],
        drops: vec![dropped],
        connects: vec![
            connect(Outcome::Established, None, Some(Duration::from_millis(1030))),
            connect(Outcome::Refused, Some(libc::ECONNREFUSED), Some(Duration::from_micros(90))),
            connect(Outcome::Other, Some(libc::EACCES), None),
        ],
        resets: vec![
            Reset {
                at,
                owners: event.owners.clone(),
                local: event.local,
                remote: event.remote,
                netns: None,
                state: Some("established".into()),
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
    };
    let ports = Ports {
        address: "10.0.0.1".into(),
        remote: end("10.0.0.2", 5432),
        netns: None,
        used: 27_000,
        range: 28_232,
        time_wait: 1200,
        used_share: 27_000.0 / 28_232.0,
        assumed: false,
    };
    let tcp = Tcp {
        events,
        remotes: vec![failing, remote].into(),
        drops: Some(vec![site(cause, None, 11), site(unnamed, Some(4026532000), 2)].into()),
        dropped: 13,
        listeners: vec![listener].into(),
        sockets: vec![sockets(430, 70), sockets(7, 0)].into(),
        namespaces: vec![namespace(None, 100), namespace(Some(4026532000), 7)],
        ports: vec![ports].into(),
        reset_totals: [1, 2],
        opened: Outcomes([3, 2, 0, 0, 1, 0, 0, 4]),
        totals: Totals { segments: 3, by_kind: [2, 0, 0, 0, 1, 0], attempts: 2, failed: 1, bytes: 2896, sampled: 5 },
        flows: vec![flow].into(),
        network: [("retrans_segs", 3), ("timeouts", 1)].into(),
        ..Tcp::default()
    };
    Snapshot { tcp: Some(tcp), ..Snapshot::new(at, Duration::from_secs(1), Ok(Pressure::default())) }
}

/// One that leaves so many open.
fn sockets(pid: u32, lasting: u64) -> Sockets {
    let some = (lasting > 0).then_some(lasting);
    Sockets {
        who: who(pid, "post\x1bgres"),
        netns: None,
        listening: 1,
        syn_sent: 0,
        established: 11,
        closing: 2,
        closed: 0,
        close_wait: lasting + 3,
        lasting,
        grew: some,
        grew_in: some.map(Duration::from_secs),
        rises: some.map(|_| 4),
        age: some.map(|_| Duration::from_secs(300)),
        oldest: some.map(|_| Ends { local: end("10.0.0.1", 5432), remote: end("10.0.0.2", 40000) }),
    }
}

fn namespace(netns: Option<u32>, tracked: u64) -> Namespace {
    Namespace {
        netns,
        inhabitant: who(1, "init"),
        sockets: Some(tracked),
        time_wait: Some(3),
        time_wait_limit: netns.is_none().then_some(1000),
        tracked: Some(tracked),
        tracked_limit: Some(200),
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
fn single_events_are_a_line_each_in_order() {
    let mut snapshot = snapshot();
    let tcp = snapshot.tcp.as_mut().unwrap();
    tcp.events.resets[0].at = "2026-03-01T12:00:00.1Z".parse().unwrap();
    let mut text = live::head(&view("tcp --events"));
    live::draw(&mut text, &tcp.events, &view("tcp --events"));
    insta::assert_snapshot!(text);
}

#[test]
fn single_events_stand_above_what_closes_their_interval() {
    let mut text = String::new();
    let snapshot = snapshot();
    live::close(&mut text, snapshot.tcp.as_ref().unwrap(), &snapshot, &view("tcp --events"));
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(at("retransmit rto") < at("self ") && at("self ") < at("5 events are in the sums only"), "{text}");
    assert!(!text.contains("retransmitted") && !text.contains("SEGS/s"), "{text}");
}

#[test]
fn a_table_says_how_many_events_it_leaves_out() {
    let text = text(&snapshot(), "tcp --top 1");
    assert!(text.contains("synack") && !text.contains(" rto  "), "{text}");
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
fn accept_queues_that_could_not_be_looked_at_are_not_shown_as_fine() {
    let mut snapshot = snapshot();
    let listeners = Known::unavailable("iter bpf_map_elem: refused");
    snapshot.tcp = Some(Tcp { listeners, ..Tcp::default() });
    let text = text(&snapshot, "tcp");
    assert!(text.ends_with("\naccept queues unavailable: iter bpf_map_elem: refused\n"), "{text}");
    let mut out = Vec::new();
    crate::sinks::Sink::snapshot(&mut crate::sinks::json::Json::new(&mut out, view("tcp")), &snapshot).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert!(json["listeners"].is_null());
    assert_eq!(json["listeners_unknown"], "iter bpf_map_elem: refused");
}

#[test]
fn a_quiet_interval_says_so() {
    let mut snapshot = snapshot();
    snapshot.tcp = Some(Tcp::default());
    assert_eq!(text(&snapshot, "tcp"), "nothing was retransmitted in this interval\n");
}
