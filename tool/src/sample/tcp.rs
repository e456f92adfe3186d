//! What the `tcp` probe found.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};

use stillwatch_common::tcp;

/// The maps of the `tcp` probe, added up over CPUs.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    /// Since the last sample.
    pub events: TcpEvents,
    pub totals: Retransmits,
    pub flows: HashMap<tcp::Ends, tcp::Flow>,
    /// Of connections on which something was retransmitted since the last sample.
    pub trips: HashMap<tcp::Ends, TripTimes>,
    /// By [`tcp::Direction`].
    pub reset_totals: [u64; 2],
    pub remotes: HashMap<tcp::Remote, tcp::Opened>,
    /// Connections opened, by [`tcp::Outcome`].
    pub outcomes: [u64; tcp::Outcome::ALL.len()],
    pub dropped: u64,
    /// They were not looked at.
    pub no_drops: bool,
    pub drops: HashMap<tcp::DropSite, tcp::Drops>,
    /// By address of the socket.
    pub listeners: HashMap<u64, tcp::Listener>,
    /// Why they are not known.
    pub no_listeners: Option<String>,
    /// Ends of connections whose window is closed, once for each process that holds one.
    pub windows: Vec<Closed>,
    /// Why they are not known.
    pub no_windows: Option<String>,
    /// By number of the socket's inode; of sockets in `events` and of flows and listeners that have changed.
    pub holders: HashMap<u64, Vec<Holder>>,
    /// All processes were looked at for it now, not only earlier.
    pub looked: bool,
    /// By address of the socket; the same.
    pub openers: HashMap<u64, tcp::Opener>,
    /// Kernel functions by return address; of drops that have changed.
    pub functions: HashMap<u64, String>,
    /// Why some or all have none.
    pub no_functions: Option<String>,
    pub reasons: Rc<ReasonNames>,
    /// Our own network namespace.
    pub netns: Option<u32>,
    pub network: Network,
    /// By network namespace.
    pub routes: HashMap<u32, Routes>,
    /// Network namespaces of which these are not known.
    pub namespaces_left_out: usize,
}

/// Single events of the `tcp` probe, in order.
#[derive(Clone, Debug, Default)]
pub struct TcpEvents {
    pub retransmits: Vec<tcp::Retransmit>,
    /// Connections that were slow to open, or failed to.
    pub connects: Vec<tcp::Connect>,
    pub resets: Vec<tcp::Reset>,
    pub drops: Vec<tcp::Dropped>,
}

/// A packet that was kept.
#[derive(Clone, Debug)]
pub struct Captured {
    pub packet: tcp::Packet,
    pub direction: tcp::Direction,
    /// Address and port of who sent it, and of whom it was for.
    pub from: ([u8; 16], u16),
    pub to: ([u8; 16], u16),
}

impl TcpEvents {
    pub fn is_empty(&self) -> bool {
        self.retransmits.is_empty() && self.connects.is_empty() && self.resets.is_empty() && self.drops.is_empty()
    }
}

/// (bucket of [`stillwatch_common::hist`], count) of smoothed round-trip times in nanoseconds, ascending.
pub type TripTimes = Vec<(u32, u64)>;

#[derive(Clone, Debug, Default)]
pub struct Retransmits {
    /// By [`tcp::RetransmitKind`].
    pub segments: [u64; tcp::RetransmitKind::ALL.len()],
    pub attempts: u64,
    pub failed: u64,
    pub bytes: u64,
    /// Of the attempts: those that are not among the events.
    pub sampled: u64,
}

/// A process with a descriptor of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub comm: String,
}

/// One end of a connection whose window is closed.
#[derive(Clone, Debug)]
pub struct Closed {
    pub end: tcp::ClosedWindow,
    /// When it was first seen so, and last, on the programs' clock.
    pub since: Duration,
    pub seen: Duration,
}

impl Closed {
    /// At least.
    pub fn age(&self) -> Duration {
        self.seen.saturating_sub(self.since)
    }
}

/// The kernel's own counters, since boot.
pub type Network = BTreeMap<&'static str, u64>;

/// The kernel's own counters of one network namespace, since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    /// IPv4 packets and connections that found no route. Of IPv6 it says little: whoever looks a name up tries all its addresses.
    pub none: u64,
    /// Connections that sent a SYN.
    pub opened: u64,
    /// A process that lives there.
    pub inhabitant: u32,
}

/// The kernel's own words for why it did something, by number; none on kernels that do not tell.
#[derive(Clone, Debug, Default)]
pub struct ReasonNames {
    /// [`stillwatch_common::tcp::Reset::reason`].
    pub resets: HashMap<u32, String>,
    /// [`stillwatch_common::tcp::Dropped::reason`]. Those of single subsystems have numbers of their own, and no words here.
    pub drops: HashMap<u32, String>,
}
