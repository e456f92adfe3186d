//! Connections, or groups of them.

use super::{noted, owners, pair};
use crate::{
    escape::escape,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
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
        .own(|flow: &Flow, name, show| match name {
            "connection" if tcp.by == Some(FlowsBy::Process) => owners(&flow.owners).into(),
            _ => own(flow, name, show),
        })
        .draw_bounded(text, &tcp.flows);
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

/// Columns that only this table can put into words.
pub fn own(row: &Flow, name: &str, _: &Show) -> Noted {
    match name {
        "share" => row.share().map_or_else(unknown, |share| format::percent(share * 100.0)).into(),
        "connection" => match &row.group {
            None => row.ends.map_or_else(unknown, |ends| pair(&ends.local, &ends.remote, row.netns)).into(),
            Some(group) => escape(group).into_owned().into(),
        },
        "owner" => noted(&row.owners),
        _ => Noted::default(),
    }
}
