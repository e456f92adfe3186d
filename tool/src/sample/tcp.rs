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
    /// As of the last walk over descriptors.
    pub sockets: Rc<SocketsSeen>,
    /// Why they are not known.
    pub no_sockets: Option<String>,
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
    /// By their number.
    pub namespaces: HashMap<u32, Namespace>,
    /// Ports for who connects, of which half are in use for one remote.
    pub ports: Rc<Vec<PortsUsed>>,
    /// Of our own network namespace.
    pub limits: NetworkLimits,
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

/// What one walk over descriptors found.
#[derive(Clone, Debug, Default)]
pub struct SocketsSeen {
    /// Ends of connections whose window is closed or that the other side has closed, once for each process that holds one.
    pub connections: Vec<Lasting>,
    pub processes: Vec<ProcessSockets>,
    /// By number of the network namespace.
    pub given: HashMap<u32, GivenPorts>,
}

/// Ports that a network namespace gives to those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenPorts {
    pub first: u16,
    pub last: u16,
    /// `net.ipv4.tcp_tw_reuse`.
    pub time_wait_reuse: u32,
}

/// The sockets of a process in one network namespace.
#[derive(Clone, Debug, Default)]
pub struct ProcessSockets {
    pub pid: u32,
    pub netns: u32,
    pub comm: [u8; 16],
    /// Descriptors, by state.
    pub states: [u64; 16],
    /// Connections that stay in `CLOSE_WAIT`.
    pub lasting: u64,
    /// The one that is in it for the longest time, and for how long.
    pub oldest: Option<(tcp::Ends, Duration)>,
    /// `None`: not looked at for long enough.
    pub growth: Option<Growth>,
}

/// How a number became greater, from when it was less the last time.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    pub from: u64,
    pub count: u64,
    pub rises: u64,
    /// When it began, when it rose last, and now, on the programs' clock.
    pub since: Duration,
    pub rose: Duration,
    pub seen: Duration,
}

impl Growth {
    pub fn grew(&self) -> u64 {
        self.count.saturating_sub(self.from)
    }

    pub fn lasted(&self) -> Duration {
        self.seen.saturating_sub(self.since)
    }
}

/// One end of a connection that is as it should not be for long.
#[derive(Clone, Debug)]
pub struct Lasting {
    pub end: tcp::SocketSeen,
    /// When it was first seen so, and last, on the programs' clock.
    pub since: Duration,
    pub seen: Duration,
}

impl Lasting {
    /// At least.
    pub fn age(&self) -> Duration {
        self.seen.saturating_sub(self.since)
    }
}

/// The kernel's own counters, since boot.
pub type Network = BTreeMap<&'static str, u64>;

/// The kernel's own counters of one network namespace, since it was made, and what is in it now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Namespace {
    /// IPv4 packets and connections that found no route. Of IPv6 it says little: whoever looks a name up tries all its addresses.
    pub none: u64,
    /// Connections that sent a SYN.
    pub opened: u64,
    /// TCP sockets, and connections in TIME-WAIT.
    pub sockets: Option<u64>,
    pub time_wait: Option<u64>,
    /// Connections that the firewall keeps track of.
    pub tracked: Option<u64>,
    /// A process that lives there.
    pub inhabitant: u32,
}

/// Ports that the kernel gave to those who connected from one address to one remote.
#[derive(Clone, Copy, Debug)]
pub struct PortsUsed {
    /// Without a local port.
    pub ends: tcp::Ends,
    pub ports: u64,
    pub time_wait: u64,
    /// Of the latter, those that the kernel would give to a new connection.
    pub reused: u64,
    /// How many there are, in a namespace of which that is known or assumed.
    pub range: u64,
    pub is_assumed: bool,
}

/// How many there may be at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkLimits {
    pub time_wait: Option<u64>,
    pub tracked: Option<u64>,
}

/// The kernel's own words for why it did something, by number; none on kernels that do not tell.
#[derive(Clone, Debug, Default)]
pub struct ReasonNames {
    /// [`stillwatch_common::tcp::Reset::reason`].
    pub resets: HashMap<u32, String>,
    /// [`stillwatch_common::tcp::Dropped::reason`]. Those of single subsystems have numbers of their own, and no words here.
    pub drops: HashMap<u32, String>,
}
