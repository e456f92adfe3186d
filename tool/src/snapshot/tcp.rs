//! The `tcp` probe's part of a snapshot.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;
pub use stillwatch_common::tcp::Kind;

use super::Who;
pub use crate::cli::plan::FlowsBy;

/// What TCP sent again in one interval.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    pub totals: Totals,
    /// Single attempts, in order.
    pub events: Vec<Retransmit>,
    /// The most segments first.
    pub flows: Vec<Flow>,
    pub by: Option<FlowsBy>,
    /// What the kernel itself counted in our network namespace; the rest counts all namespaces.
    pub network: BTreeMap<&'static str, u64>,
    /// Only some connections are shown.
    pub filtered: bool,
    pub events_only: bool,
}

/// Of all connections, whichever are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Segments of attempts that failed are among them, as in the kernel's `TcpRetransSegs`.
    pub segments: u64,
    /// By [`Kind`].
    pub by_kind: [u64; Kind::ALL.len()],
    pub attempts: u64,
    /// Of the attempts: those that this host could not send.
    pub failed: u64,
    pub bytes: u64,
    /// Of the attempts: those that are not among the events, because there were too many.
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
    pub state: Option<&'static str>,
    pub kind: Option<Kind>,
    pub attempts: u64,
    pub failed: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Segments sent since the connections began, and of these sent again. `None`: there is no connection yet.
    pub sent: Option<(u64, u64)>,
    /// The longest of the last round-trip times.
    pub srtt_us: Option<u32>,
}

impl Flow {
    /// Of the segments that the connections sent since they began, the share that was sent again.
    pub fn share(&self) -> Option<f64> {
        let (sent, again) = self.sent.filter(|&(sent, _)| sent > 0)?;
        Some(again as f64 / sent as f64)
    }
}
