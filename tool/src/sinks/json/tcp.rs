//! What TCP retransmitted, and the connections that it opened, as JSON.

use std::{collections::BTreeMap, io::Result};

use serde::Serialize;

use super::{
    Lines,
    line::{Event, Line},
    row::{One, Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        tcp::{
            self as shown, ClosedWindow, Connect, DropSite, Dropped, Events, Flow, Listener, Namespace, Ports, Remote,
            Reset, Retransmit, RetransmitKind, Sockets,
        },
    },
    table::{Cell, Value},
};

pub fn add(lines: &mut Lines, tcp: &shown::Tcp, snapshot: &Snapshot, _: &View) -> Result<()> {
    events(lines, &tcp.events)?;
    if tcp.events_only {
        return Ok(());
    }
    lines.add(&Line::of("tcp", snapshot, Tcp::of(tcp, &tcp.opened.cell())))
}

/// In order within each kind.
pub fn events(lines: &mut Lines, events: &Events) -> Result<()> {
    events.retransmits.iter().try_for_each(|event| lines.add(&retransmit(event)))?;
    events.connects.iter().try_for_each(|event| lines.add(&connect(event)))?;
    events.resets.iter().try_for_each(|event| lines.add(&reset(event)))?;
    events.drops.iter().try_for_each(|event| lines.add(&dropped(event)))
}

#[derive(Serialize)]
struct Tcp<'a> {
    totals: Totals,
    flows: Rows<'a, Flow>,
    /// Connections opened, by outcome; absent: none.
    opened: One<'a>,
    remotes: Rows<'a, Remote>,
    resets: Resets,
    /// Packets; null: not measured.
    dropped: Option<u64>,
    drops: Option<Rows<'a, DropSite>>,
    listeners: Option<Rows<'a, Listener>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listeners_unknown: Option<String>,
    closed_windows: Option<Rows<'a, ClosedWindow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_windows_unknown: Option<String>,
    sockets: Option<Rows<'a, Sockets>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sockets_unknown: Option<String>,
    namespaces: Rows<'a, Namespace>,
    ports: Rows<'a, Ports>,
    /// The kernel's own counters of our network namespace, in this interval.
    network: &'a BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Resets {
    sent: u64,
    received: u64,
}

#[derive(Serialize)]
struct Totals {
    segments: u64,
    attempts: u64,
    failed: u64,
    bytes: u64,
    #[serde(flatten)]
    by_kind: BTreeMap<&'static str, u64>,
    /// What is in the sums, and not among the events.
    events_sampled: u64,
}

impl<'a> Tcp<'a> {
    /// `opened` is the cell of that.
    fn of(tcp: &'a shown::Tcp, opened: &'a Cell<'a>) -> Self {
        let totals = &tcp.totals;
        Self {
            totals: Totals {
                segments: totals.segments,
                attempts: totals.attempts,
                failed: totals.failed,
                bytes: totals.bytes,
                by_kind: RetransmitKind::ALL.into_iter().map(RetransmitKind::name).zip(totals.by_kind).collect(),
                events_sampled: totals.sampled,
            },
            flows: Rows::of(&tcp.flows),
            opened: One(opened),
            resets: Resets { sent: tcp.reset_totals[0], received: tcp.reset_totals[1] },
            remotes: Rows::of(&tcp.remotes),
            dropped: tcp.drops.as_ref().map(|_| tcp.dropped),
            drops: tcp.drops.as_ref().map(Rows::of),
            listeners: tcp.listeners.value().map(Rows::of),
            listeners_unknown: tcp.listeners.why().map(ToString::to_string),
            closed_windows: tcp.closed_windows.value().map(Rows::of),
            closed_windows_unknown: tcp.closed_windows.why().map(ToString::to_string),
            sockets: tcp.sockets.value().map(Rows::of),
            sockets_unknown: tcp.sockets.why().map(ToString::to_string),
            namespaces: Rows::whole(&tcp.namespaces),
            ports: Rows::of(&tcp.ports),
            network: &tcp.network,
        }
    }
}

fn retransmit(event: &Retransmit) -> Event<Row<'_, Retransmit>> {
    Event::of("tcp", "retransmit", event.at, Row(event))
}

fn connect(connect: &Connect) -> Event<Row<'_, Connect>> {
    Event::of("tcp", "connect", connect.at, Row(connect))
}

fn reset(reset: &Reset) -> Event<Row<'_, Reset>> {
    Event::of("tcp", "reset", reset.at, Row(reset))
}

fn dropped(dropped: &Dropped) -> Event<Row<'_, Dropped>> {
    Event::of("tcp", "drop", dropped.at, Row(dropped))
}
