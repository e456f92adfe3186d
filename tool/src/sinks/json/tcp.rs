//! What TCP sent again, and the connections that it opened, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    latency::Distribution,
    line::{Event, ns},
};
use crate::snapshot::{
    self,
    tcp::{self as shown, Direction, DropCause, Kind, Outcome, Owners},
};

/// The names of a socket's owner beside the other fields of a line.
#[derive(Serialize)]
struct Owner<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_unknown: Option<&'static str>,
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
            pid_unknown: owners.who.unknown.filter(|_| pid.is_none()),
            closed: owners.past,
            shared: owners.shared.iter().map(one).collect(),
        }
    }
}

#[derive(Serialize)]
pub struct Retransmit<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    local: String,
    remote: String,
    /// Inode of the network namespace, where it is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    state: &'static str,
    kind: &'static str,
    segments: u64,
    bytes: u64,
    retransmits: u8,
    backoff: u8,
    srtt_us: Option<u32>,
    cwnd: Option<u32>,
    ssthresh: Option<u32>,
    in_flight: Option<u32>,
    /// Errno of an attempt that failed on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<i32>,
    /// The other side has no room for more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    zero_window: bool,
}

impl<'a> Retransmit<'a> {
    pub fn event(event: &'a shown::Retransmit) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&event.owners),
            local: event.local.to_string(),
            remote: event.remote.to_string(),
            netns: event.netns,
            state: event.state,
            kind: event.kind.name(),
            segments: event.segments,
            bytes: event.bytes,
            retransmits: event.retransmits,
            backoff: event.backoff,
            srtt_us: event.srtt_us,
            cwnd: event.window.map(|window| window.cwnd),
            ssthresh: event.window.and_then(|window| window.ssthresh),
            in_flight: event.window.map(|window| window.in_flight),
            failed: event.failed,
            zero_window: event.zero_window,
        };
        Event::of("tcp", "retransmit", event.at, what)
    }
}

/// A connection that was slow to open, or failed to.
#[derive(Serialize)]
pub struct Connect<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_unknown: Option<&'static str>,
    local: String,
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    outcome: &'static str,
    /// Errno.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    waited_ns: Option<u64>,
}

impl<'a> Connect<'a> {
    pub fn event(connect: &'a shown::Connect) -> Event<Self> {
        let who = &connect.who;
        let what = Self {
            pid: who.pid,
            comm: who.comm.as_deref(),
            cgroup: who.cgroup.as_deref(),
            pid_unknown: who.unknown.filter(|_| who.pid.is_none()),
            local: connect.local.to_string(),
            remote: connect.remote.to_string(),
            netns: connect.netns,
            outcome: name(connect.outcome),
            error: connect.error,
            waited_ns: connect.waited.map(ns),
        };
        Event::of("tcp", "connect", connect.at, what)
    }
}

/// A connection that one side broke off.
#[derive(Serialize)]
pub struct Reset<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    local: String,
    remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    /// null: no connection.
    state: Option<&'static str>,
    direction: &'static str,
    /// In the kernel's words, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Reset<'a> {
    pub fn event(reset: &'a shown::Reset) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&reset.owners),
            local: reset.local.to_string(),
            remote: reset.remote.to_string(),
            netns: reset.netns,
            state: reset.state,
            direction: match reset.direction {
                Direction::Sent => "sent",
                Direction::Received => "received",
            },
            reason: reset.reason.as_deref(),
        };
        Event::of("tcp", "reset", reset.at, what)
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

/// A packet that was dropped.
#[derive(Serialize)]
pub struct Dropped<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u32>,
    /// null: no socket.
    state: Option<&'static str>,
    bytes: u64,
    flags: &'a str,
    #[serde(flatten)]
    cause: Cause<'a>,
}

impl<'a> Dropped<'a> {
    pub fn event(dropped: &'a shown::Dropped) -> Event<Self> {
        let what = Self {
            owner: Owner::of(&dropped.owners),
            from: dropped.from.to_string(),
            to: dropped.to.to_string(),
            netns: dropped.netns,
            state: dropped.state,
            bytes: dropped.bytes,
            flags: &dropped.flags,
            cause: Cause::of(&dropped.cause),
        };
        Event::of("tcp", "drop", dropped.at, what)
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
    listeners: Vec<Listener<'a>>,
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
            listeners: tcp.listeners.iter().map(Listener::of).collect(),
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
