//! Rules about the network.

use std::{net::IpAddr, time::Duration};

use super::{first_pid, holds, victim, who, with};
use crate::{
    findings::fixture::{look, only, quiet},
    snapshot::{
        Snapshot,
        tcp::{self, Connect, End, Ends, Flow, Listener, Outcome, Outcomes, Owners, Remote, Retransmit, Sent},
    },
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
        kind: tcp::Kind::Timeout,
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

#[test]
fn connections_that_fail_and_those_that_are_dropped() {
    let failing = |outcome: Outcome, failed: u64, established: u64, waited: Duration| {
        with(quiet(), |snapshot| {
            let tcp = snapshot.tcp.as_mut().unwrap();
            let mut outcomes = Outcomes::default();
            (outcomes[outcome as usize], outcomes[Outcome::Established as usize]) = (failed, established);
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
            tcp.events.connects = vec![one; failed as usize];
            tcp.remotes = vec![Remote { group: None, end: remote, netns: None, outcomes, latency: Default::default() }];
        })
    };
    let found = only(&failing(Outcome::Refused, 1, 4, Duration::ZERO));
    assert_eq!((found.rule, first_pid(&found.victims)), ("connects_failing", Some(430)));
    assert_eq!(
        found.statement,
        "1 of 5 connections to 10.0.0.2:80 failed (1 refused, nobody listens there): postgres 430"
    );
    assert!(look(&failing(Outcome::Refused, 1, 5, Duration::ZERO)).is_empty(), "less than a fifth");
    assert!(look(&failing(Outcome::GivenUp, 9, 0, Duration::from_millis(400))).is_empty(), "one of two addresses");
    let mut mixed = failing(Outcome::Refused, 1, 0, Duration::ZERO);
    let tcp = mixed.tcp.as_mut().unwrap();
    tcp.remotes[0].outcomes[Outcome::GivenUp as usize] = 1;
    let hasty = Connect {
        who: who(9, "browser", "/"),
        outcome: Outcome::GivenUp,
        waited: Some(Duration::from_millis(400)),
        ..tcp.events.connects[0].clone()
    };
    tcp.events.connects.push(hasty);
    let found = only(&mixed);
    assert_eq!((found.victims.len(), found.harm), (1, 0.1), "who gave up has lost nothing");
    assert!(holds(&failing(Outcome::GivenUp, 9, 0, Duration::from_millis(500)), "connects_failing"));
    let dropping = |dropped| {
        with(quiet(), |snapshot| {
            let owners = Owners { who: victim(), ..Owners::default() };
            let row = Listener {
                local: end("0.0.0.0", 80),
                netns: None,
                owners,
                dropped,
                queue: 129,
                limit: 128,
                full: true,
            };
            snapshot.tcp.as_mut().unwrap().listeners = vec![row].into();
        })
    };
    assert!(holds(&dropping(1), "accept_queue") && !holds(&dropping(0), "accept_queue"));
    assert_eq!(first_pid(&only(&dropping(1)).culprits), Some(430));
}
