//! The `tcp` probe's part of a snapshot.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use jiff::Timestamp;
pub use stillwatch_common::tcp::{Direction, Kind, Outcome};

use super::{Latency, Who};
pub use crate::cli::plan::FlowsBy;
use crate::table::Known;

/// What TCP sent again in one interval, which connections it opened, and what else went wrong.
#[derive(Clone, Debug)]
pub struct Tcp {
    pub totals: Totals,
    /// Those that were not shown before the interval's end.
    pub events: Events,
    /// The most segments first.
    pub flows: Vec<Flow>,
    pub by: Option<FlowsBy>,
    /// By [`Direction`], of all connections.
    pub reset_totals: [u64; 2],
    /// The most failures first, then the most time.
    pub remotes: Vec<Remote>,
    /// Opened from this host, or tried to; of all connections, whichever are shown.
    pub opened: [u64; Outcome::ALL.len()],
    /// `None`: not measured. The most packets first.
    pub drops: Option<Vec<DropSite>>,
    /// Packets that were dropped, whichever are shown.
    pub dropped: u64,
    /// Those that threw requests away or are full: the most first.
    pub listeners: Known<Vec<Listener>>,
    /// What the kernel itself counted in our network namespace; the rest counts all namespaces.
    pub network: BTreeMap<&'static str, u64>,
    /// Only some connections are shown.
    pub filtered: bool,
    pub events_only: bool,
}

impl Default for Tcp {
    /// Nothing happened, and no drops are measured.
    fn default() -> Self {
        Self {
            totals: Totals::default(),
            events: Events::default(),
            flows: Vec::new(),
            by: None,
            reset_totals: Default::default(),
            remotes: Vec::new(),
            opened: Default::default(),
            drops: None,
            dropped: 0,
            listeners: Vec::new().into(),
            network: BTreeMap::new(),
            filtered: false,
            events_only: false,
        }
    }
}

/// What happened at one moment each. All in order.
#[derive(Clone, Debug, Default)]
pub struct Events {
    pub retransmits: Vec<Retransmit>,
    /// Connections that were slow to open, or failed to.
    pub connects: Vec<Connect>,
    /// Connections that one side broke off.
    pub resets: Vec<Reset>,
    pub drops: Vec<Dropped>,
}

impl Events {
    pub fn is_empty(&self) -> bool {
        self.retransmits.is_empty() && self.connects.is_empty() && self.resets.is_empty() && self.drops.is_empty()
    }

    /// Later ones are added.
    pub fn append(&mut self, mut later: Events) {
        self.retransmits.append(&mut later.retransmits);
        self.connects.append(&mut later.connects);
        self.resets.append(&mut later.resets);
        self.drops.append(&mut later.drops);
    }

    /// Only the last of many are kept. How many are not.
    pub fn cut(&mut self, kept: usize) -> u64 {
        fn last<T>(events: &mut Vec<T>, kept: usize) -> u64 {
            events.drain(..events.len().saturating_sub(kept)).count() as u64
        }
        last(&mut self.retransmits, kept)
            + last(&mut self.connects, kept)
            + last(&mut self.resets, kept)
            + last(&mut self.drops, kept)
    }
}

/// Of all connections, whichever are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// As in the kernel's `TcpRetransSegs`.
    pub segments: u64,
    /// By [`Kind`].
    pub by_kind: [u64; Kind::ALL.len()],
    pub attempts: u64,
    /// Of the attempts: those that this host could not send.
    pub failed: u64,
    pub bytes: u64,
    /// Events that are not listed, because there were too many: retransmissions, connections and resets.
    pub sampled: u64,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    pub address: IpAddr,
    pub port: u16,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Who has a socket: one process, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    pub who: Who,
    /// All of them, where there are several; the first is `who`.
    pub shared: Vec<Who>,
    /// It has closed the socket since, or has ended.
    pub past: bool,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Retransmit {
    pub at: Timestamp,
    pub owners: Owners,
    pub local: End,
    pub remote: End,
    /// Number of the network namespace, if it is not ours.
    pub netns: Option<u32>,
    pub state: &'static str,
    pub kind: Kind,
    pub segments: u64,
    pub bytes: u64,
    /// Timeouts in a row.
    pub retransmits: u8,
    /// How often the timer was doubled.
    pub backoff: u8,
    /// `None`: not measured yet, or a SYN-ACK, which has no connection.
    pub srtt_us: Option<u32>,
    pub window: Option<Window>,
    /// The errno of an attempt that failed on this host.
    pub failed: Option<i32>,
    /// The other side has no room for more: it does not read what it has.
    pub zero_window: bool,
}

/// A connection that was slow to open, or failed to.
#[derive(Clone, Debug)]
pub struct Connect {
    pub at: Timestamp,
    /// Who called `connect`.
    pub who: Who,
    pub local: End,
    pub remote: End,
    pub netns: Option<u32>,
    pub outcome: Outcome,
    /// The errno that the process gets, if there is one.
    pub error: Option<i32>,
    /// From the call until the answer. `None`: the call was before we attached.
    pub waited: Option<Duration>,
}

/// A connection that one side broke off.
#[derive(Clone, Debug)]
pub struct Reset {
    pub at: Timestamp,
    pub owners: Owners,
    pub local: End,
    pub remote: End,
    pub netns: Option<u32>,
    /// `None`: the packet that was answered belongs to no connection.
    pub state: Option<&'static str>,
    pub direction: Direction,
    /// In the kernel's words; of those sent, on kernels that tell it.
    pub reason: Option<String>,
}

/// A packet that was dropped.
#[derive(Clone, Debug)]
pub struct Dropped {
    pub at: Timestamp,
    pub from: End,
    pub to: End,
    pub netns: Option<u32>,
    /// Of the socket that it was for, or from.
    pub owners: Owners,
    /// `None`: the packet had no socket, or none yet.
    pub state: Option<&'static str>,
    pub bytes: u64,
    /// As tcpdump writes them: `S`, `P.` …
    pub flags: String,
    pub cause: DropCause,
}

/// Why a packet was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DropCause {
    /// In the kernel's words. `None`: kernels before 5.17 tell none.
    pub reason: Option<String>,
    /// The kernel's function.
    pub function: Option<String>,
    /// Why that is not known.
    pub function_unknown: Option<String>,
}

/// Packets that were dropped for one cause, of one port.
#[derive(Clone, Debug)]
pub struct DropSite {
    pub cause: DropCause,
    /// The service's. `None`: both are of the range that is given to those who connect.
    pub port: Option<u16>,
    pub netns: Option<u32>,
    pub packets: u64,
    pub bytes: u64,
}

/// A socket that listens.
#[derive(Clone, Debug)]
pub struct Listener {
    pub local: End,
    pub netns: Option<u32>,
    pub owners: Owners,
    /// Requests for connections that were thrown away.
    pub dropped: u64,
    /// Connections that wait to be accepted now, and how many may: the kernel lets one more wait.
    pub queue: u32,
    pub limit: u32,
}

impl Listener {
    pub fn is_full(&self) -> bool {
        self.queue > self.limit
    }
}

/// Connections that were opened to one address and port, or to several taken together.
#[derive(Clone, Debug)]
pub struct Remote {
    /// What the row stands for, in words, where it is not one address and port.
    pub group: Option<String>,
    pub end: End,
    pub netns: Option<u32>,
    /// By [`Outcome`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Of established ones, from the call until the answer.
    pub latency: Latency,
}

/// Of these, how many failed.
pub fn failed(outcomes: &[u64]) -> u64 {
    outcomes.iter().skip(Outcome::Established as usize + 1).sum()
}

/// How much may be on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub cwnd: u32,
    /// `None`: not reached yet.
    pub ssthresh: Option<u32>,
    pub in_flight: u32,
}

/// What was sent again on one connection, or on several taken together.
#[derive(Clone, Debug)]
pub struct Flow {
    /// What the row stands for, in words, where it is not one connection.
    pub group: Option<String>,
    pub connections: u64,
    pub owners: Owners,
    pub ends: Option<(End, End)>,
    pub netns: Option<u32>,
    /// That has the local address. `None`: of another network namespace, or there is none any more.
    pub interface: Option<String>,
    pub state: Option<&'static str>,
    pub kind: Option<Kind>,
    pub attempts: u64,
    pub failed: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Segments sent since the connections began, and of these sent again. `None`: there is no connection yet.
    pub sent: Option<(u64, u64)>,
    /// Smoothed round-trip times, whenever something was sent again.
    pub trips: Latency,
}

impl Flow {
    /// Of the segments that the connections sent since they began, the share that was sent again.
    pub fn share(&self) -> Option<f64> {
        let (sent, again) = self.sent.filter(|&(sent, _)| sent > 0)?;
        Some(again as f64 / sent as f64)
    }
}
