//! What TCP sent again, and the connections that it opened, as JSON.

mod events;

pub use events::{Connect, Dropped, Reset, Retransmit};

use std::collections::BTreeMap;

use serde::Serialize;

use super::latency::Distribution;
use crate::snapshot::{
    self,
    tcp::{self as shown, DropCause, Kind, Outcome, Owners},
};

/// The names of a socket's owner beside the other fields of a line.
#[derive(Serialize)]
struct Owner<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_unknown: Option<&'a str>,
    /// It has closed the socket.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shared: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
}

impl<'a> Owner<'a> {
    fn of(owners: &'a Owners) -> Self {
        let one =
            |who: &'a snapshot::Who| One { pid: who.pid, comm: who.comm.as_deref(), cgroup: who.cgroup.as_deref() };
        let One { pid, comm, cgroup } = one(&owners.who);
        Self {
            pid,
            comm,
            cgroup,
            pid_unknown: owners.who.unknown.as_deref().filter(|_| pid.is_none()),
            closed: owners.past,
            shared: owners.shared.iter().map(one).collect(),
        }
    }
}

/// Why a packet was dropped.
#[derive(Serialize)]
struct Cause<'a> {
    /// In the kernel's words.
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_unknown: Option<&'static str>,
    function: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_unknown: Option<&'a str>,
}

impl<'a> Cause<'a> {
    fn of(cause: &'a DropCause) -> Self {
        Self {
            reason: cause.reason.as_deref(),
            reason_unknown: cause.reason.is_none().then_some("this kernel tells no reasons"),
            function: cause.function.as_deref(),
            function_unknown: cause.function_unknown.as_deref(),
        }
    }
}

/// Packets that were dropped for one cause, of one port.
#[derive(Serialize)]
struct DropSite<'a> {
    #[serde(flatten)]
    cause: Cause<'a>,
    /// null: none that tells a service.
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    packets: u64,
    bytes: u64,
}

impl<'a> DropSite<'a> {
    fn of(site: &'a shown::DropSite) -> Self {
        let shown::DropSite { ref cause, port, netns, packets, bytes } = *site;
        Self { cause: Cause::of(cause), port, netns, packets, bytes }
    }
}

/// A listening socket that threw requests for connections away, or is full.
#[derive(Serialize)]
struct Listener<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    local: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    dropped: u64,
    queue: u32,
    limit: u32,
}

impl<'a> Listener<'a> {
    fn of(listener: &'a shown::Listener) -> Self {
        Self {
            owner: Owner::of(&listener.owners),
            local: listener.local.to_string(),
            netns: listener.netns,
            dropped: listener.dropped,
            queue: listener.queue,
            limit: listener.limit,
        }
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Established => "established",
        Outcome::Refused => "refused",
        Outcome::TimedOut => "timed_out",
        Outcome::Unreachable => "unreachable",
        Outcome::NoPort => "no_local_port",
        Outcome::NotSent => "not_sent",
        Outcome::GivenUp => "given_up",
        Outcome::Other => "other",
    }
}

fn outcomes(counts: &[u64]) -> BTreeMap<&'static str, u64> {
    Outcome::ALL.into_iter().map(name).zip(counts.iter().copied()).filter(|&(_, count)| count > 0).collect()
}

/// Connections that were opened to one address and port.
#[derive(Serialize)]
struct Remote<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    /// By outcome; absent: none.
    connections: BTreeMap<&'static str, u64>,
    /// Of established ones; null: none was timed.
    latency: Option<Distribution<'a>>,
}

impl<'a> Remote<'a> {
    fn of(remote: &'a shown::Remote) -> Self {
        Self {
            group: remote.group.as_deref(),
            remote: remote.group.is_none().then(|| remote.end.to_string()),
            netns: remote.netns,
            connections: outcomes(&remote.outcomes),
            latency: Distribution::of(&remote.latency),
        }
    }
}

#[derive(Serialize)]
pub struct Tcp<'a> {
    totals: Totals,
    flows: Vec<Flow<'a>>,
    /// Connections opened, by outcome; absent: none.
    opened: BTreeMap<&'static str, u64>,
    remotes: Vec<Remote<'a>>,
    resets: Resets,
    /// Packets; null: not measured.
    dropped: Option<u64>,
    drops: Option<Vec<DropSite<'a>>>,
    listeners: Option<Vec<Listener<'a>>>,
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

#[derive(Serialize)]
struct Flow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    connections: u64,
    #[serde(flatten)]
    owner: Owner<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    attempts: u64,
    failed: u64,
    segments: u64,
    bytes: u64,
    /// Since the connection began.
    sent_segments: Option<u64>,
    sent_again_segments: Option<u64>,
    share: Option<f64>,
    /// Smoothed round-trip times when something was sent again; null: not known.
    srtt_p50_us: Option<u64>,
    srtt_p99_us: Option<u64>,
}

impl<'a> Tcp<'a> {
    pub fn of(tcp: &'a shown::Tcp) -> Self {
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
            flows: tcp.flows.iter().map(Flow::of).collect(),
            opened: outcomes(&tcp.opened),
            resets: Resets { sent: tcp.reset_totals[0], received: tcp.reset_totals[1] },
            remotes: tcp.remotes.iter().map(Remote::of).collect(),
            dropped: tcp.drops.as_ref().map(|_| tcp.dropped),
            drops: tcp.drops.as_ref().map(|sites| sites.iter().map(DropSite::of).collect()),
            listeners: tcp.listeners.value().map(|rows| rows.iter().map(Listener::of).collect()),
            listeners_unknown: tcp.listeners.why().map(ToString::to_string),
            network: &tcp.network,
        }
    }
}

impl<'a> Flow<'a> {
    fn of(flow: &'a shown::Flow) -> Self {
        let ends = flow.ends.as_ref();
        let timed = |ns: u64| (flow.trips.count > 0).then_some(ns / 1000);
        Self {
            group: flow.group.as_deref(),
            connections: flow.connections,
            owner: Owner::of(&flow.owners),
            local: ends.map(|(local, _)| local.to_string()),
            remote: ends.map(|(_, remote)| remote.to_string()),
            netns: flow.netns,
            state: flow.state,
            attempts: flow.attempts,
            failed: flow.failed,
            segments: flow.segments,
            bytes: flow.bytes,
            sent_segments: flow.sent.map(|(sent, _)| sent),
            sent_again_segments: flow.sent.map(|(_, again)| again),
            share: flow.share(),
            srtt_p50_us: timed(flow.trips.p50_ns),
            srtt_p99_us: timed(flow.trips.p99_ns),
        }
    }
}
