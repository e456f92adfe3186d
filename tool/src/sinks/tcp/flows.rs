//! Connections, or groups of them.

use super::{owners, pair};
use crate::{
    escape::escape,
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::{
        Snapshot,
        tcp::{Flow, FlowsBy, Tcp},
    },
};

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    if tcp.flows.is_empty() {
        return;
    }
    let head = match tcp.by {
        None | Some(FlowsBy::Flow) => "CONNECTION",
        Some(FlowsBy::Remote) => "REMOTE",
        Some(FlowsBy::Subnet) => "REMOTE NETWORK",
        Some(FlowsBy::Port) => "PORT",
        Some(FlowsBy::Process) => "PROCESS",
        Some(FlowsBy::Cgroup) => "CGROUP",
    };
    let mut table = Table::new().right("SEGS/s", 6).right("KiB/s", 6).right("OF SENT", 7);
    table = table.right("RTT p50", 7).close("p99", 5);
    table = match tcp.by {
        None => table.left("STATE", 11).left(head, 0).left("OWNER", 0),
        Some(_) => table.right("CONNS", 5).left(head, 0),
    };
    for flow in tcp.flows.iter().take(view.top) {
        let mut cells = vec![
            format::rate(flow.segments, snapshot.interval),
            format::rate(flow.bytes / 1024, snapshot.interval),
            flow.share().map_or_else(|| UNKNOWN.to_owned(), |share| format::percent(share * 100.0)),
            trip(flow, flow.trips.p50_ns),
            trip(flow, flow.trips.p99_ns),
        ];
        match &flow.group {
            None => cells.extend([flow.state.unwrap_or(UNKNOWN).to_owned(), connection(flow), owners(&flow.owners)]),
            Some(_) if tcp.by == Some(FlowsBy::Process) => {
                cells.extend([flow.connections.to_string(), owners(&flow.owners)]);
            }
            Some(group) => cells.extend([flow.connections.to_string(), escape(group).into_owned()]),
        }
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, tcp.flows.len(), view);
}

fn connection(flow: &Flow) -> String {
    flow.ends.as_ref().map_or_else(|| UNKNOWN.to_owned(), |(local, remote)| pair(local, remote, flow.netns))
}

fn trip(flow: &Flow, ns: u64) -> String {
    if flow.trips.count == 0 { UNKNOWN.to_owned() } else { format::duration(ns) }
}
