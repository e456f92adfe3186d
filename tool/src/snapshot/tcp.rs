//! The `tcp` probe's part of a snapshot.

mod events;
mod packets;
mod rows;
mod values;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use stillwatch_common::tcp::{Direction, Outcome, RetransmitKind};

pub use self::{
    events::{Connect, DropCause, Dropped, Reset, Retransmit, Window},
    packets::{Device, Packet},
    rows::{ClosedWindow, DropSite, Flow, Listener, Namespace, Ports, Remote, Sent, Sockets},
    values::{End, Outcomes, failed},
};
use super::{
    Who,
    who::{About, about},
};
pub use crate::asked::FlowsBy;
use crate::{
    constant::{self, Constant},
    table::{Bounded, Known, NOT_RECORDED, named, table},
};

named!(RetransmitKind, Direction, Outcome);

about! { Connect: who; Sockets: who; }

macro_rules! of_owners {
    ($($row:ty),*) => {
        $(impl About for $row {
            fn whom(&mut self) -> impl Iterator<Item = &mut Who> {
                std::iter::once(&mut self.owners.who).chain(&mut self.owners.shared)
            }
        })*
    };
}

of_owners!(Retransmit, Reset, Dropped, Flow, Listener);

impl About for ClosedWindow {
    fn whom(&mut self) -> impl Iterator<Item = &mut Who> {
        [&mut self.owners.who, &mut self.reader].into_iter().chain(&mut self.owners.shared)
    }
}

/// Kernels before 5.17.
pub const NO_REASONS: &str = "this kernel tells no reasons";

/// What TCP retransmitted in one interval, which connections it opened, and what else went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tcp {
    pub totals: Totals,
    /// Those that were not shown before the interval's end.
    pub events: Events,
    /// The most segments first.
    pub flows: Bounded<Flow>,
    pub by: Option<FlowsBy>,
    /// By [`Direction`], of all connections.
    pub reset_totals: [u64; 2],
    /// The most failures first, then the most time.
    pub remotes: Bounded<Remote>,
    /// Opened from this host, or tried to; of all connections, whichever are shown.
    pub opened: Outcomes,
    /// `None`: not measured. The most packets first.
    pub drops: Option<Bounded<DropSite>>,
    /// Packets that were dropped, whichever are shown.
    pub dropped: u64,
    /// Those that threw requests away or are full: the most first.
    pub listeners: Known<Bounded<Listener>>,
    /// Connections that could not send for a second and more, the longest first.
    pub closed_windows: Known<Bounded<ClosedWindow>>,
    /// By process, those of whom most stay in `CLOSE_WAIT` first; in the overview those that have many.
    #[serde(default = "not_recorded")]
    pub sockets: Known<Bounded<Sockets>>,
    /// Those that were looked at, ours first.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
    /// Of whom half are in use, the most first.
    #[serde(default)]
    pub ports: Bounded<Ports>,
    /// What the kernel itself counted in our network namespace; the rest counts all namespaces.
    #[serde(deserialize_with = "constant::counts")]
    pub network: BTreeMap<Constant, u64>,
    /// Network namespaces in which packets found no route.
    #[serde(default)]
    pub no_routes: Vec<NoRoute>,
    /// Network namespaces of which that is not known: too many.
    #[serde(default)]
    pub namespaces_left_out: usize,
    /// Only some connections are shown.
    pub filtered: bool,
    pub events_only: bool,
}

fn not_recorded() -> Known<Bounded<Sockets>> {
    Known::unknown(NOT_RECORDED)
}

impl Default for Tcp {
    /// Nothing happened, and no drops are measured.
    fn default() -> Self {
        Self {
            totals: Totals::default(),
            events: Events::default(),
            flows: Bounded::default(),
            by: None,
            reset_totals: Default::default(),
            remotes: Bounded::default(),
            opened: Default::default(),
            drops: None,
            dropped: 0,
            listeners: Bounded::default().into(),
            closed_windows: Bounded::default().into(),
            sockets: Bounded::default().into(),
            namespaces: Vec::new(),
            ports: Bounded::default(),
            network: BTreeMap::new(),
            no_routes: Vec::new(),
            namespaces_left_out: 0,
            filtered: false,
            events_only: false,
        }
    }
}

/// As the kernel counts, of one network namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoRoute {
    /// If it is not ours.
    pub netns: Option<u32>,
    /// IPv4 packets, and connections before their first.
    pub packets: u64,
    /// Connections that got further.
    pub opened: u64,
    /// A process that lives there.
    pub inhabitant: Who,
}

/// What happened at one moment each. All in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

    /// When the first of them was.
    pub fn first(&self) -> Option<Timestamp> {
        let Self { retransmits, connects, resets, drops } = self;
        let first = [
            retransmits.first().map(|it| it.at),
            connects.first().map(|it| it.at),
            resets.first().map(|it| it.at),
            drops.first().map(|it| it.at),
        ];
        first.into_iter().flatten().min()
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

impl DropCause {
    /// A firewall's, or its table of connections.
    pub fn is_of_firewall(&self) -> bool {
        let of_netfilter = |function: &String| function.starts_with("nf");
        self.reason.value().is_some_and(|reason| reason == "netfilter drop")
            || self.function.value().is_some_and(of_netfilter)
    }
}

/// Of all connections, whichever are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// As in the kernel's `TcpRetransSegs`.
    pub segments: u64,
    /// By [`RetransmitKind`].
    pub by_kind: [u64; RetransmitKind::ALL.len()],
    pub attempts: u64,
    /// Of the attempts: those that this host could not send.
    pub failed: u64,
    pub bytes: u64,
    /// Events that are not listed, because there were too many: retransmissions, connections and resets.
    pub sampled: u64,
}

/// What is said of a socket's process.
const OWNER: &[(&str, &str)] = &[("pid", "pid"), ("comm", "comm"), ("cgroup", "cgroup"), ("pid_unknown", "unknown")];

table! {
    /// Who has a socket: one process, or several.
    pub struct Owners in "tcp.owners" derive(Default, Eq) {
        /// The process, or the first of several.
        who: Who = label().columns(Who::COLUMNS).parts(OWNER);
        /// It has closed the socket since, or has ended.
        past: bool = flag().key("closed").sparse();
        /// All of them, where there are several; the first is `who`. What is not known of them has no reason.
        shared: Vec<Who> = info().columns(Who::COLUMNS).sparse();
    }

    /// Both ends of a connection.
    pub struct Ends in "tcp.ends" derive(Copy, Eq, PartialOrd, Ord) {
        /// This host's address and port.
        local: End = label();
        /// The other side's.
        remote: End = label();
    }
}
