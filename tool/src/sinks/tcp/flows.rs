//! Connections, or groups of them.

use super::{noted, owners, pair};
use crate::{
    escape::escape,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
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
    let without: &[&str] = if tcp.by.is_none() { &["CONNS"] } else { &["STATE", "OWNER"] };
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .head("CONNECTION", head.to_owned())
        .without(without)
        .own("share", |flow: &Flow| flow.share().map_or_else(unknown, |share| format::percent(share * 100.0)))
        .own("connection", |flow: &Flow| match &flow.group {
            None => flow.ends.map_or_else(unknown, |ends| pair(&ends.local, &ends.remote, flow.netns)),
            Some(_) if tcp.by == Some(FlowsBy::Process) => owners(&flow.owners),
            Some(group) => escape(group).into_owned(),
        })
        .own("owner", |flow: &Flow| noted(&flow.owners))
        .draw_bounded(text, &tcp.flows);
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}
