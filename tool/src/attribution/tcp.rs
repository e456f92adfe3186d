//! Names for what TCP sent again, and rows taken together by them.

mod remotes;

use std::{cmp::Reverse, collections::HashMap, net::IpAddr};

use super::{name, wanted};
use crate::{
    cli::plan::{Filter, FlowsBy, Plan},
    names::Names,
    snapshot::{
        Latency, Who,
        tcp::{End, Ends, Events, Flow, Owners, Sent, Tcp},
    },
};

/// `-p`, `--comm` and `-c` choose among owners, of whom a socket may have several; the totals and the tables of remotes and of drops
/// count everybody.
pub fn resolve(tcp: &mut Tcp, names: &mut Names, plan: &Plan) {
    events(&mut tcp.events, names, plan);
    tcp.flows.retain_mut(|flow| any_wanted(&mut flow.owners, &plan.filter, names));
    for flow in &mut tcp.flows {
        name_all(&mut flow.owners, names);
        let here = flow.ends.filter(|_| plan.overview && flow.netns.is_none());
        flow.interface = here.and_then(|ends| names.interface(ends.local.address));
    }
    if let Some(listeners) = tcp.listeners.value_mut() {
        listeners.retain_mut(|listener| any_wanted(&mut listener.owners, &plan.filter, names));
        listeners.iter_mut().for_each(|listener| name_all(&mut listener.owners, names));
    }
    if let Some(by) = tcp.by {
        tcp.flows = together(std::mem::take(&mut tcp.flows), by);
        tcp.remotes = remotes::together(std::mem::take(&mut tcp.remotes), by);
    }
}

/// The same for single events.
pub fn events(events: &mut Events, names: &mut Names, plan: &Plan) {
    let filter = &plan.filter;
    events.retransmits.retain_mut(|event| any_wanted(&mut event.owners, filter, names));
    events.resets.retain_mut(|reset| any_wanted(&mut reset.owners, filter, names));
    events.drops.retain_mut(|dropped| any_wanted(&mut dropped.owners, filter, names));
    events.connects.retain_mut(|connect| wanted(&mut connect.who, filter, names));
    events.retransmits.iter_mut().for_each(|event| name_all(&mut event.owners, names));
    events.resets.iter_mut().for_each(|reset| name_all(&mut reset.owners, names));
    events.drops.iter_mut().for_each(|dropped| name_all(&mut dropped.owners, names));
    events.connects.iter_mut().for_each(|connect| name(&mut connect.who, names));
}

fn any_wanted(owners: &mut Owners, filter: &Filter, names: &mut Names) -> bool {
    wanted(&mut owners.who, filter, names) || owners.shared.iter_mut().any(|who| wanted(who, filter, names))
}

fn name_all(owners: &mut Owners, names: &mut Names) {
    name(&mut owners.who, names);
    for who in &mut owners.shared {
        name(who, names);
        who.unknown = None;
    }
}

/// One row per group, the most segments first.
fn together(flows: Vec<Flow>, by: FlowsBy) -> Vec<Flow> {
    let mut groups: HashMap<(String, Option<u32>), Flow> = HashMap::new();
    for flow in flows {
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
    let mut groups: Vec<Flow> = groups.into_values().collect();
    groups.sort_by_key(|flow| (Reverse((flow.segments, flow.attempts)), flow.group.clone()));
    groups
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
            let rows = together(flows.clone(), by);
            rows.into_iter().map(|flow| (flow.group.unwrap(), flow.segments, flow.connections)).collect()
        };
        let row = |group: &str, segments, connections| (group.to_owned(), segments, connections);
        assert_eq!(rows(FlowsBy::Subnet), [row("10.0.7.0/24", 5, 2), row("fd00::/64", 4, 1)]);
        assert_eq!(rows(FlowsBy::Port), [row("80", 6, 2), row("443", 3, 1)]);
        assert_eq!(rows(FlowsBy::Remote).len(), 3);
        let by_port = together(flows, FlowsBy::Port);
        assert_eq!((by_port[0].share(), by_port[0].trips.count), (Some(0.06), 2));
        assert!(by_port[0].trips.p99_ns.abs_diff(4000) < 200, "{:?}", by_port[0].trips);
    }
}
