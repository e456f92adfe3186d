//! Rules about the network.

use std::{net::IpAddr, time::Duration};

use super::{culprit, first_pid, holds, victim, who, with};
use crate::{
    findings::fixture::{in_flight, look, only, quiet},
    snapshot::{
        Snapshot, Who,
        finding::Value,
        syscalls::{Call, Failed, Failing, Mode},
        tcp::{
            self, ClosedWindow, Connect, Direction, DropCause, DropSite, Dropped, End, Ends, Flow, Listener, Outcome,
            Outcomes, Owners, Ports, Remote, Reset, Retransmit, Sent, Sockets,
        },
    },
    table::Known,
};

fn end(address: &str, port: u16) -> End {
    End { address: address.parse::<IpAddr>().unwrap(), port }
}

/// A connection of which `timeouts` were retransmitted because nothing was heard.
fn resent(remote: &str, timeouts: u64) -> (Flow, Vec<Retransmit>) {
    let (local, remote) = (end("10.0.0.1", 40_000), end(remote, 5432));
    let owners = Owners { who: victim(), ..Owners::default() };
    let flow = Flow {
        group: None,
        connections: 1,
        owners: owners.clone(),
        ends: Some(Ends { local, remote }),
        netns: None,
        interface: Some("eth0".into()),
        state: None,
        attempts: timeouts,
        failed: 0,
        segments: timeouts,
        bytes: 0,
        sent: Some(Sent::new(10_000, timeouts)),
        trips: Default::default(),
    };
    let event = Retransmit {
        at: quiet().at,
        owners,
        local,
        remote,
        netns: None,
        state: "established".into(),
        kind: tcp::RetransmitKind::Timeout,
        segments: 1,
        bytes: 0,
        retransmits: 1,
        backoff: 0,
        srtt_us: None,
        window: None,
        failed: None,
        zero_window: false,
    };
    (flow, vec![event; timeouts as usize])
}

fn network(flows: Vec<(Flow, Vec<Retransmit>)>) -> Snapshot {
    with(quiet(), |snapshot| {
        let tcp = snapshot.tcp.as_mut().unwrap();
        for (flow, events) in flows {
            tcp.flows.push(flow);
            tcp.events.retransmits.extend(events);
        }
    })
}

#[test]
fn a_timeout_per_second_to_one_remote_and_to_several_of_one_interface() {
    let found = only(&network(vec![resent("10.0.0.2", 1)]));
    assert_eq!((found.rule, found.subject.as_str(), found.harm), ("retransmits", "to 10.0.0.2", 0.2));
    assert_eq!(first_pid(&found.victims), Some(430));
    assert!(look(&network(vec![resent("10.0.0.2", 0)])).is_empty());
    let several = network(["10.0.0.2", "10.0.0.3", "10.0.0.4"].map(|remote| resent(remote, 1)).into());
    assert_eq!(only(&several).subject, "to 3 remotes, all from eth0");
}

/// A SYN that was dropped here, on its way to the remote.
pub fn dropped(from: End, to: End, reason: &str, netns: Option<u32>) -> Dropped {
    Dropped {
        at: quiet().at,
        owners: Owners::default(),
        from,
        to,
        netns,
        state: None,
        bytes: 60,
        flags: "S".into(),
        sequence: 7,
        cause: DropCause { reason: Known::Value(reason.into()), function: Known::Value("nf_hook_slow".into()) },
        connections_full: None,
    }
}

#[test]
fn segments_that_this_host_lost_or_could_not_send() {
    let resent = |timeouts, change: fn(&mut tcp::Tcp)| {
        with(network(vec![resent("10.0.0.2", timeouts)]), |snapshot| change(snapshot.tcp.as_mut().unwrap()))
    };
    let found = only(&resent(1, |_| ()));
    assert_eq!(
        found.statement,
        "1.0 segments/s are retransmitted to 10.0.0.2 (1 rto, 0.01% of what was sent): postgres 430"
    );
    assert_eq!(found.unknown.len(), 1);
    let lost = |tcp: &mut tcp::Tcp| {
        let (local, remote) = (end("10.0.0.1", 40_000), end("10.0.0.2", 5432));
        tcp.events.drops.push(dropped(remote, local, "netfilter drop", Some(4026532315)));
        tcp.events.drops.push(dropped(end("10.0.0.1", 40_001), remote, "netfilter drop", None));
    };
    let found = only(&resent(2, lost));
    let words = "; 1 packet was dropped on this host: netfilter drop in nf_hook_slow (netns 4026532315)";
    assert!(found.statement.ends_with(words) && found.unknown.is_empty(), "{}", found.statement);
    assert_eq!(only(&resent(3, lost)).unknown.len(), 1, "most were lost elsewhere");
    let slow = with(resent(1, |_| ()), |snapshot| snapshot.interval = Duration::from_secs(5));
    assert!(look(&slow).is_empty());
    let slow = with(resent(5, |_| ()), |snapshot| snapshot.interval = Duration::from_millis(5100));
    let slow = with(slow, |snapshot| {
        snapshot.tcp.as_mut().unwrap().events.retransmits.iter_mut().for_each(|event| event.backoff = 1);
    });
    assert!(
        only(&slow).statement.starts_with("5 segments are retransmitted to 10.0.0.2 in 5.1s"),
        "{}",
        only(&slow).statement
    );
    let failed = |tcp: &mut tcp::Tcp| {
        tcp.events.retransmits.iter_mut().for_each(|event| event.failed = Some(libc::EPERM));
        tcp.flows.iter_mut().for_each(|flow| (flow.segments, flow.failed, flow.sent) = (0, flow.attempts, None));
    };
    let found = only(&resent(2, failed));
    assert_eq!(found.statement, "2 retransmissions to 10.0.0.2 could not be sent by this host: postgres 430");
    assert!(found.unknown.is_empty());
}

/// Connections to one remote, of which so many failed.
fn failing(outcome: Outcome, failed: u64, established: u64, waited: Duration) -> Snapshot {
    with(quiet(), |snapshot| {
        let remote = end("10.0.0.2", 80);
        let one = Connect {
            at: snapshot.at,
            who: victim(),
            local: end("10.0.0.1", 1),
            remote,
            netns: None,
            outcome,
            error: None,
            waited: Some(waited),
        };
        let tcp = snapshot.tcp.as_mut().unwrap();
        tcp.events.connects = vec![one; failed as usize];
        tcp.remotes = vec![opened(remote, established)].into();
        tcp.remotes[0].outcomes[outcome as usize] = failed;
    })
}

fn opened(end: End, established: u64) -> Remote {
    let mut outcomes = Outcomes::default();
    outcomes[Outcome::Established as usize] = established;
    Remote { group: None, end, netns: None, outcomes, latency: Default::default() }
}

#[test]
fn connections_that_fail() {
    let found = only(&failing(Outcome::Refused, 1, 4, Duration::ZERO));
    assert_eq!((found.rule, first_pid(&found.victims)), ("connects_failing", Some(430)));
    assert_eq!(
        found.statement,
        "1 of 5 connections to 10.0.0.2:80 failed (1 refused, nobody listens there): postgres 430"
    );
    assert!(look(&failing(Outcome::Refused, 1, 5, Duration::ZERO)).is_empty(), "less than a fifth");
    let rejected = with(failing(Outcome::Refused, 1, 0, Duration::ZERO), |snapshot| {
        let packet = |reason| dropped(end("10.0.0.1", 7), end("10.0.0.2", 80), reason, None);
        snapshot.tcp.as_mut().unwrap().events.drops = vec![packet("netfilter drop"), packet("no socket")];
    });
    assert_eq!(
        only(&rejected).statement,
        "1 of 1 connections to 10.0.0.2:80 failed (1 refused): postgres 430; \
         1 packet was dropped on this host: netfilter drop in nf_hook_slow"
    );
    let full = with(rejected, |snapshot| {
        let drops = &mut snapshot.tcp.as_mut().unwrap().events.drops;
        drops.iter_mut().for_each(|event| event.connections_full = Some("40 of 40".into()));
    });
    let statement = only(&full).statement;
    assert!(statement.ends_with("in nf_hook_slow, the table of connections there is full (40 of 40)"), "{statement}");
}

#[test]
fn who_takes_another_address_gives_one_up() {
    let hasty = |failed, other: End, established| {
        with(failing(Outcome::GivenUp, failed, 0, Duration::from_millis(250)), |snapshot| {
            snapshot.tcp.as_mut().unwrap().remotes.push(opened(other, established));
        })
    };
    assert!(look(&hasty(9, end("10.0.0.3", 80), 9)).is_empty(), "one of two addresses");
    let found = only(&hasty(9, end("10.0.0.3", 80), 8));
    assert!(found.statement.starts_with("1 of 1 connections"), "{}", found.statement);
    assert_eq!((found.victims.len(), found.evidence[0].value), (1, Value::Count(1)));
    assert!(holds(&hasty(9, end("10.0.0.3", 81), 9), "connects_failing"), "another service");
    let alone = failing(Outcome::GivenUp, 9, 0, Duration::from_millis(250));
    assert!(only(&alone).statement.starts_with("9 of 9 connections"), "an outage");
    let patient = failing(Outcome::GivenUp, 9, 0, Duration::from_millis(500));
    let patient = with(patient, |snapshot| {
        snapshot.tcp.as_mut().unwrap().remotes.push(opened(end("10.0.0.3", 80), 9));
    });
    assert!(holds(&patient, "connects_failing"));
    let mut mixed = hasty(1, end("10.0.0.3", 80), 1);
    let tcp = mixed.tcp.as_mut().unwrap();
    tcp.remotes[0].outcomes[Outcome::Refused as usize] = 1;
    let browser = who(9, "browser", "/");
    let refused = Connect { who: browser, outcome: Outcome::Refused, waited: None, ..tcp.events.connects[0].clone() };
    tcp.events.connects.push(refused);
    let found = only(&mixed);
    assert_eq!((first_pid(&found.victims), found.victims.len(), found.harm), (Some(9), 1, 0.1), "{}", found.statement);
}

/// A connection that was reset, as one of its ends sees it.
fn reset(who: Who, local: End, remote: End, direction: Direction) -> Reset {
    let reason = (direction == Direction::Sent).then(|| "tcp abort on close".to_owned());
    let owners = Owners { who, ..Owners::default() };
    let state = Some("established".into());
    Reset { at: quiet().at, owners, local, remote, netns: None, state, direction, reason }
}

#[test]
fn connections_that_are_reset_by_who_accepted_them() {
    let (client, server) = (|at| end("10.0.0.1", 40_000 + at), end("10.0.0.2", 80));
    let clients = |resets: u64, established| {
        with(quiet(), |snapshot| {
            let tcp = snapshot.tcp.as_mut().unwrap();
            let received = |at| reset(victim(), client(at as u16), server, Direction::Received);
            tcp.events.resets = (0..resets).map(received).collect();
            tcp.remotes = vec![opened(server, established)].into();
        })
    };
    let found = only(&clients(1, 5));
    assert_eq!((found.rule, found.subject.as_str(), first_pid(&found.victims)), ("resets", "10.0.0.2:80", Some(430)));
    assert_eq!(
        found.statement,
        "the other side resets 1.0/s connections to 10.0.0.2:80, of 5.0/s that are opened: postgres 430"
    );
    assert!(look(&clients(1, 6)).is_empty(), "less than a fifth");
    assert!(look(&with(clients(1, 1), |snapshot| snapshot.interval = Duration::from_millis(1001))).is_empty());
    let closed = with(clients(1, 1), |snapshot| {
        snapshot.tcp.as_mut().unwrap().events.resets[0].state = Some("fin-wait-2".into());
    });
    assert!(look(&closed).is_empty(), "the client had closed it");
    let sampled = with(clients(1, 6), |snapshot| snapshot.tcp.as_mut().unwrap().reset_totals = [0, 2]);
    assert!(holds(&sampled, "resets"), "not all are listed");
    let both = with(clients(2, 2), |snapshot| {
        let tcp = snapshot.tcp.as_mut().unwrap();
        let sent = [0, 1].map(|at| reset(culprit(), server, client(at), Direction::Sent));
        tcp.events.resets.extend(sent);
    });
    let found = only(&both);
    assert_eq!((first_pid(&found.victims), first_pid(&found.culprits)), (Some(430), Some(812)));
    assert_eq!(
        found.statement,
        "rsync 812 resets 2.0/s connections to 10.0.0.2:80 (tcp abort on close), of 2.0/s that are opened: postgres 430"
    );
}

#[test]
fn a_server_that_resets_and_clients_that_are_done() {
    let server = |direction, state: &'static str, accepted| {
        with(quiet(), |snapshot| {
            let tcp = snapshot.tcp.as_mut().unwrap();
            let event = reset(culprit(), end("10.0.0.1", 80), end("10.0.0.9", 40_000), direction);
            tcp.events.resets = vec![Reset { state: Some(state.into()), ..event }];
            tcp.network = [("passive_opens", accepted)].into();
        })
    };
    let found = only(&server(Direction::Sent, "close", 5));
    assert_eq!((found.subject.as_str(), first_pid(&found.culprits)), ("10.0.0.1:80", Some(812)));
    assert_eq!(
        found.statement,
        "rsync 812 resets 1.0/s connections to 10.0.0.1:80 (tcp abort on close), of 5.0/s that are accepted"
    );
    assert!(look(&server(Direction::Sent, "close", 6)).is_empty(), "less than a fifth");
    assert!(look(&server(Direction::Sent, "close", 0)).is_empty(), "of how many is not known");
    assert!(look(&server(Direction::Sent, "time-wait", 1)).is_empty(), "it was over");
    assert!(look(&server(Direction::Received, "established", 1)).is_empty(), "a client that is done");
}

#[test]
fn requests_that_are_dropped_at_a_full_queue_and_at_one_that_is_not() {
    let dropping = |dropped, full| {
        with(quiet(), |snapshot| {
            let owners = Owners { who: victim(), ..Owners::default() };
            let (local, queue) = (end("0.0.0.0", 80), if full { 129 } else { 3 });
            let (queue, half_open) = (Some(queue), Some(5));
            let row = Listener { local, netns: None, owners, dropped, queue, limit: 128, half_open, full };
            snapshot.tcp.as_mut().unwrap().listeners = vec![row].into();
        })
    };
    assert!(holds(&dropping(1, true), "accept_queue") && !holds(&dropping(0, true), "accept_queue"));
    assert_eq!(first_pid(&only(&dropping(1, true)).culprits), Some(430));
    let found = only(&dropping(1, false));
    assert_eq!(
        found.statement,
        "1.0/s requests for connections at 0.0.0.0:80 of postgres 430 are dropped for another reason than a full queue: \
         3 wait to be accepted (limit 128), 5 are half open"
    );
    assert!(found.culprits.is_empty());
    let counted = |count| {
        let network = [("listen_overflows", count)].into();
        with(dropping(1, false), |snapshot| snapshot.tcp.as_mut().unwrap().network = network)
    };
    assert_eq!((only(&counted(1)).culprits.len(), only(&counted(0)).culprits.len()), (1, 0));
    let with_reason = |reason: &str| {
        let cause =
            DropCause { reason: Known::Value(reason.into()), function: Known::Value("tcp_conn_request".into()) };
        let site = DropSite { cause, port: Some(80), netns: None, packets: 1, bytes: 60 };
        with(dropping(1, false), |snapshot| snapshot.tcp.as_mut().unwrap().drops = Some(vec![site].into()))
    };
    assert_eq!(only(&with_reason("tcp listen overflow")).culprits.len(), 1);
    assert!(
        only(&with_reason("proto mem")).statement.ends_with("; most packets to this port that are dropped: proto mem")
    );
}

#[test]
fn calls_that_find_no_local_port() {
    let of = |calls, syscall: &str, errno: &str| {
        with(quiet(), |snapshot| {
            let syscalls = snapshot.syscalls.as_mut().unwrap();
            let row = Call { syscall: syscall.into(), calls: Some(calls), errors: 1.into(), ..Call::none(Mode::Exact) };
            (syscalls.mode, syscalls.rows) = (Mode::Exact, vec![row]);
            syscalls.failed = vec![Failed { syscall: syscall.into(), errno: errno.to_owned(), count: 1 }];
        })
    };
    let failing = |syscall: &str, errno: &str| of(1, syscall, errno);
    assert!(holds(&failing("bind", "EADDRINUSE"), "failing_calls"));
    assert!(holds(&failing("connect", "EADDRNOTAVAIL"), "failing_calls"));
    // Without IPv6 a name's second address is tried in vain, and the third call gets there.
    assert!(holds(&of(2, "connect", "ENETUNREACH"), "failing_calls"));
    assert!(look(&of(3, "connect", "ENETUNREACH")).is_empty() && look(&failing("open", "EACCES")).is_empty());
}

#[test]
fn whose_connections_have_no_way_is_told_of_each_process() {
    let one = |who: Who, errors, tried| Failing {
        who,
        syscall: "connect".into(),
        errno: "ENETUNREACH".into(),
        errors,
        tried: Some(tried),
    };
    let of = |failing: Vec<Failing>| {
        with(quiet(), |snapshot| {
            let syscalls = snapshot.syscalls.as_mut().unwrap();
            let row = Call { syscall: "connect".into(), calls: Some(1000), ..Call::none(Mode::Exact) };
            (syscalls.mode, syscalls.rows) = (Mode::Exact, vec![row]);
            let count = failing.iter().map(|one| one.errors).sum();
            syscalls.failed = vec![Failed { syscall: "connect".into(), errno: "ENETUNREACH".into(), count }];
            syscalls.failing = Some(failing);
        })
    };
    // All of one's fail; of another's a third, which tries IPv6 in vain; most of the host's succeed.
    let found = only(&of(vec![one(culprit(), 200, 600), one(victim(), 50, 50)]));
    let words = "connect fails 50/s (100% of theirs) with ENETUNREACH, Network is unreachable: postgres 430";
    assert_eq!((found.statement.as_str(), found.harm), (words, 5.0));
    assert!(look(&of(vec![one(culprit(), 200, 600)])).is_empty());
}

/// A process waits in such a call, and its connection's window is closed.
pub fn closed(call: &str, reader: Who) -> Snapshot {
    with(quiet(), |snapshot| {
        snapshot.syscalls.as_mut().unwrap().in_flight = vec![in_flight(victim(), call, None)].into();
        let window = ClosedWindow {
            owners: Owners { who: victim(), ..Owners::default() },
            local: end("10.0.0.1", 40_000),
            remote: end("10.0.0.2", 8080),
            netns: None,
            age: Duration::from_secs(3),
            unsent: 2 << 20,
            unread: reader.pid.map(|_| 6 << 20),
            reader,
        };
        snapshot.tcp.as_mut().unwrap().closed_windows = vec![window].into();
    })
}

#[test]
fn who_does_not_read_is_why_a_call_that_sends_does_not_return() {
    let found = only(&closed("sendto", culprit()));
    assert_eq!((found.rule, first_pid(&found.culprits), found.unknown.len()), ("slow_calls", Some(812), 0));
    let because = "the window of 10.0.0.2:8080 is closed: rsync 812 does not read, 6 MiB wait there";
    assert!(found.statement.ends_with(because), "{}", found.statement);
    assert_eq!(found.next, "stillwatch tcp -p 430");
    let elsewhere = only(&closed("write", Who::default()));
    assert!(
        elsewhere.statement.ends_with("is closed: who does not read is not on this host"),
        "{}",
        elsewhere.statement
    );
    assert!(elsewhere.culprits.is_empty());
    // A lock is not what a window keeps.
    let locked = only(&closed("flock", culprit()));
    assert!(locked.culprits.is_empty() && locked.unknown.len() == 1, "{locked:#?}");
}

/// A process of which so many connections stay in `CLOSE_WAIT`, and have become more so often.
pub fn left(lasting: u64, rises: Option<u64>) -> Snapshot {
    let row = Sockets {
        who: victim(),
        netns: None,
        listening: 1,
        syn_sent: 0,
        established: 12,
        closing: 0,
        closed: 0,
        close_wait: lasting + 3,
        lasting,
        grew: rises.map(|rises| 7 * rises),
        grew_in: rises.map(|rises| Duration::from_secs(20 * rises)),
        rises,
        age: Some(Duration::from_secs(300)),
        oldest: Some(Ends { local: end("10.0.0.1", 80), remote: end("10.0.0.2", 40_000) }),
    };
    with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().sockets = vec![row].into())
}

#[test]
fn a_process_that_does_not_close_is_told_once_it_holds_more_and_more() {
    let found = only(&left(64, Some(3)));
    let words = "postgres 430 does not close 64 connections that the other side closed 30s ago and longer, 21 more in 60s; \
                 the oldest 10.0.0.1:80 → 10.0.0.2:40000";
    assert_eq!((found.rule, found.statement.as_str(), first_pid(&found.culprits)), ("close_wait", words, Some(430)));
    assert_eq!(found.next, "stillwatch tcp -p 430");
    for quiet in [left(63, Some(9)), left(64, Some(2)), left(999, None), left(999, Some(0))] {
        assert!(look(&quiet).is_empty(), "{:?}", quiet.tcp.unwrap().sockets);
    }
    assert!(holds(&left(1000, None), "close_wait"));
}

/// Of 28,232 ports.
fn used(used: u64, reused: u64, assumed: bool) -> Snapshot {
    let row = Ports {
        address: "10.0.0.1".into(),
        remote: end("10.0.0.2", 5432),
        netns: assumed.then_some(4_026_532_315),
        used,
        range: 28_232,
        time_wait: 20_000,
        used_share: (used - reused) as f64 / 28_232.0,
        assumed,
    };
    with(quiet(), |snapshot| snapshot.tcp.as_mut().unwrap().ports = vec![row].into())
}

#[test]
fn ports_for_one_remote_are_told_before_there_is_none() {
    let found = only(&used(25_409, 0, false));
    let words = "connections from 10.0.0.1 to 10.0.0.2:5432 use 25.4k of the 28.2k ports that there are for them, \
                 20k of them in TIME-WAIT";
    assert_eq!((found.rule, found.statement.as_str(), found.confidence()), ("ports_used_up", words, "high"));
    assert_eq!(found.next, "stillwatch tcp --address 10.0.0.2");
    // One less, and those that the kernel gives to others.
    assert!(look(&used(25_408, 0, false)).is_empty() && look(&used(28_232, 20_000, false)).is_empty());
    let elsewhere = only(&used(28_000, 0, true));
    assert_eq!(elsewhere.confidence(), "medium");
    assert!(elsewhere.subject.ends_with("10.0.0.2:5432 (netns 4026532315)"), "{}", elsewhere.subject);
}
