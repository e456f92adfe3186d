//! Some of what TCP retransmitted, and rows taken together.

mod remotes;

use std::{collections::HashMap, net::IpAddr};

use super::{bound_some, keep, keep_some};
use crate::{
    cli::plan::{Filter, FlowsBy, Plan},
    snapshot::{
        Latency, Who,
        tcp::{End, Ends, Events, Flow, Owners, Sent, Tcp},
    },
    table::in_order,
};

/// By owners, of whom a socket may have several; the totals and the tables of remotes and of drops count everybody.
pub fn select(tcp: &mut Tcp, plan: &Plan) {
    events(&mut tcp.events, &plan.filter);
    keep_some([&mut tcp.flows], &plan.filter);
    keep_some(tcp.listeners.value_mut(), &plan.filter);
    keep_some(tcp.closed_windows.value_mut(), &plan.filter);
    keep_some(tcp.sockets.value_mut(), &plan.filter);
    if let Some(by) = tcp.by {
        together(&mut tcp.flows, by);
        remotes::together(&mut tcp.remotes, by);
    }
}

/// Single events are bounded as they come.
pub fn bound(tcp: &mut Tcp, filter: &Filter) {
    bound_some([&mut tcp.flows], filter);
    bound_some(tcp.listeners.value_mut(), filter);
    bound_some(tcp.closed_windows.value_mut(), filter);
    bound_some(tcp.sockets.value_mut(), filter);
    tcp.remotes.bound(|_| false);
    tcp.ports.bound(|_| false);
    if let Some(sites) = &mut tcp.drops {
        sites.bound(|_| false);
    }
}

/// The same for single events.
pub fn events(events: &mut Events, filter: &Filter) {
    keep(&mut events.retransmits, filter);
    keep(&mut events.resets, filter);
    keep(&mut events.drops, filter);
    keep(&mut events.connects, filter);
}

/// One row per group, the most segments first.
fn together(flows: &mut Vec<Flow>, by: FlowsBy) {
    let mut groups: HashMap<(String, Option<u32>), Flow> = HashMap::new();
    for flow in flows.drain(..) {
        let (group, owners) = group(&flow, by);
        // A number is another process's in another table only by its name.
        let key = (group.clone(), owners.who.pid);
        match groups.get_mut(&key) {
            Some(sum) => add(sum, &flow),
            None => {
                let sum = Flow { group: Some(group), owners, ends: None, netns: None, state: None, ..flow };
                groups.insert(key, sum);
            }
        }
    }
    flows.extend(groups.into_values());
    in_order(flows);
}

fn group(flow: &Flow, by: FlowsBy) -> (String, Owners) {
    let who = &flow.owners.who;
    let unknown = || who.unknown.as_deref().unwrap_or("unknown").to_owned();
    let nobody = Owners::default();
    let remote = |text: fn(&End) -> String| flow.ends.as_ref().map_or_else(String::new, |ends| text(&ends.remote));
    match by {
        FlowsBy::Flow => (String::new(), flow.owners.clone()),
        FlowsBy::Remote => (remote(|end| end.address.to_string()), nobody),
        FlowsBy::Subnet => (remote(|end| subnet(end.address)), nobody),
        FlowsBy::Port => (flow.ends.map_or_else(String::new, service), nobody),
        FlowsBy::Process => (who.comm.clone().unwrap_or_else(unknown), flow.owners.clone()),
        FlowsBy::Cgroup => {
            let who = Who { cgroup: who.cgroup.clone(), ..Who::default() };
            (who.cgroup.clone().unwrap_or_else(unknown), Owners { who, ..Owners::default() })
        }
    }
}

/// The network of most sites: /24, or /64.
fn subnet(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            format!("{}/64", std::net::Ipv6Addr::from(network))
        }
    }
}

/// The lower of two ports is the service's, on most hosts.
fn service(Ends { local, remote }: Ends) -> String {
    local.port.min(remote.port).to_string()
}

fn add(sum: &mut Flow, flow: &Flow) {
    sum.connections += flow.connections;
    sum.attempts += flow.attempts;
    sum.failed += flow.failed;
    sum.segments += flow.segments;
    sum.bytes += flow.bytes;
    sum.sent = match (sum.sent, flow.sent) {
        (Some(one), Some(other)) => Some(Sent::new(one.segments + other.segments, one.again + other.again)),
        (one, other) => one.or(other),
    };
    sum.trips = Latency::merge([&sum.trips, &flow.trips]);
}

#[cfg(test)]
mod tests {
    use stillwatch_common::hist;

    use super::*;

    fn flow(remote: &str, port: u16, segments: u64) -> Flow {
        let end = |address: &str, port| End { address: address.parse().unwrap(), port };
        Flow {
            group: None,
            connections: 1,
            owners: Owners { who: Who::living(port.into()), ..Owners::default() },
            ends: Some(Ends { local: end("10.0.0.1", 40000), remote: end(remote, port) }),
            netns: None,
            interface: None,
            state: Some("established".into()),
            attempts: 1,
            failed: 0,
            segments,
            bytes: 100,
            sent: Some(Sent::new(50, segments)),
            trips: Latency::new(vec![(hist::bucket(segments * 1000), 1)], 0, u64::MAX),
        }
    }

    #[test]
    fn flows_of_a_group_are_added_up() {
        let flows = vec![flow("10.0.7.1", 80, 2), flow("10.0.7.2", 443, 3), flow("fd00::7:1", 80, 4)];
        let rows = |by| -> Vec<(String, u64, u64)> {
            let mut rows = flows.clone();
            together(&mut rows, by);
            rows.into_iter().map(|flow| (flow.group.unwrap(), flow.segments, flow.connections)).collect()
        };
        let row = |group: &str, segments, connections| (group.to_owned(), segments, connections);
        assert_eq!(rows(FlowsBy::Subnet), [row("10.0.7.0/24", 5, 2), row("fd00::/64", 4, 1)]);
        assert_eq!(rows(FlowsBy::Port), [row("80", 6, 2), row("443", 3, 1)]);
        assert_eq!(rows(FlowsBy::Remote).len(), 3);
        let mut by_port = flows.clone();
        together(&mut by_port, FlowsBy::Port);
        assert_eq!((by_port[0].share(), by_port[0].trips.count), (Some(0.06), 2));
        assert!(by_port[0].trips.p99_ns.abs_diff(4000) < 200, "{:?}", by_port[0].trips);
    }
}
