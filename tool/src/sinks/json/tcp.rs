//! What TCP sent again, and the connections that it opened, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    line::Event,
    row::{One, Row, Rows},
};
use crate::{
    snapshot::tcp::{self as shown, Connect, DropSite, Dropped, Flow, Kind, Listener, Remote, Reset, Retransmit},
    table::Cell,
};

#[derive(Serialize)]
pub struct Tcp<'a> {
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
    pub fn of(tcp: &'a shown::Tcp, opened: &'a Cell<'a>) -> Self {
        let totals = &tcp.totals;
        Self {
            totals: Totals {
                segments: totals.segments,
                attempts: totals.attempts,
                failed: totals.failed,
                bytes: totals.bytes,
                by_kind: Kind::ALL.into_iter().map(Kind::name).zip(totals.by_kind).collect(),
                events_sampled: totals.sampled,
            },
            flows: Rows(&tcp.flows),
            opened: One(opened),
            resets: Resets { sent: tcp.reset_totals[0], received: tcp.reset_totals[1] },
            remotes: Rows(&tcp.remotes),
            dropped: tcp.drops.as_ref().map(|_| tcp.dropped),
            drops: tcp.drops.as_deref().map(Rows),
            listeners: tcp.listeners.value().map(|rows| Rows(rows)),
            listeners_unknown: tcp.listeners.why().map(ToString::to_string),
            network: &tcp.network,
        }
    }
}

pub fn retransmit(event: &Retransmit) -> Event<Row<'_, Retransmit>> {
    Event::of("tcp", "retransmit", event.at, Row(event))
}

pub fn connect(connect: &Connect) -> Event<Row<'_, Connect>> {
    Event::of("tcp", "connect", connect.at, Row(connect))
}

pub fn reset(reset: &Reset) -> Event<Row<'_, Reset>> {
    Event::of("tcp", "reset", reset.at, Row(reset))
}

pub fn dropped(dropped: &Dropped) -> Event<Row<'_, Dropped>> {
    Event::of("tcp", "drop", dropped.at, Row(dropped))
}
