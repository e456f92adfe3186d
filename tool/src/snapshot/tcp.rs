//! The `tcp` probe's part of a snapshot.

mod values;

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use jiff::Timestamp;
pub use stillwatch_common::tcp::{Direction, Kind, Outcome};

pub use self::values::{End, Outcomes, failed};
use super::{Latency, Who};
pub use crate::cli::plan::FlowsBy;
use crate::table::{Known, named, table};

named!(Kind, Direction, Outcome);

/// Kernels before 5.17.
pub const NO_REASONS: &str = "this kernel tells no reasons";

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
    pub opened: Outcomes,
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

    /// How much may be on its way.
    pub struct Window in "tcp.window" derive(Copy, Eq) {
        /// Segments, by the congestion window.
        cwnd: u32 = gauge("segments");
        /// Where it grows slower; none: not reached yet.
        ssthresh: Option<u32> = gauge("segments");
        /// Segments that are on their way.
        in_flight: u32 = gauge("segments");
    }

    /// What was sent since the connections began.
    pub struct Sent in "tcp.sent" derive(Copy) {
        /// Segments.
        segments: u64 = gauge("segments").key("sent_segments");
        /// Of these: sent again.
        again: u64 = gauge("segments").key("sent_again_segments");
        /// The part that was sent again; none where nothing was sent.
        share: Option<f64> = gauge("of 1");
    }

    /// One attempt to send something again.
    pub struct Retransmit in "tcp.retransmit" {
        /// When it was made.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// Who has the socket.
        owners: Owners = label().columns(Owners::COLUMNS).flat();
        /// This host's address and port.
        local: End = label(), text [own("CONNECTION", "connection").after("state"), own("OWNER", "owner").after("state")];
        /// The other side's.
        remote: End = label();
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// As `ss` writes it.
        state: Cow<'static, str> = info(), text [words("STATE").least(11).after("window")];
        /// Why it was made.
        kind: Kind = label(), text [words("KIND").least(6)];
        /// Segments that it sent.
        segments: u64 = counter("segments").source("tcp_retransmit_skb"), text [number("SEGS").least(4)];
        /// Their payload.
        bytes: u64 = counter("bytes").source("tcp_retransmit_skb"), text [number("BYTES").least(5)];
        /// Timeouts in a row.
        retransmits: u8 = gauge("timeouts"), text [number("TRIES").least(5).after("window")];
        /// How often the timer was doubled.
        backoff: u8 = gauge("times");
        /// Smoothed round-trip time; none: not measured yet, or a SYN-ACK, which has no connection.
        srtt_us: Option<u32> = gauge("us"), text [own("RTT", "trip").right().least(5)];
        /// None of a SYN-ACK.
        window: Option<Window> = info().columns(Window::COLUMNS).flat(), text [own("CWND", "window").right().least(4)];
        /// The errno of an attempt that failed on this host.
        failed: Option<i32> = info().optional();
        /// The other side has no room for more: it does not read what it has.
        zero_window: bool = flag().sparse();
    }

    /// A connection that was slow to open, or failed to.
    pub struct Connect in "tcp.connect" {
        /// When that was known.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// Who called `connect`.
        who: Who = label().columns(Who::COLUMNS).parts(OWNER), text [own("OWNER", "owner").after("local")];
        /// This host's address and port.
        local: End = label(), text [own("CONNECTION", "connection").after("waited")];
        /// The other side's.
        remote: End = label();
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// How it ended.
        outcome: Outcome = info(), text [own("CONNECT", "outcome").least(13)];
        /// The errno that the process gets, if there is one.
        error: Option<i32> = info().optional();
        /// From the call until the answer; none: the call was before we attached.
        waited: Option<Duration> = gauge("ns").key("waited_ns"), text [duration("AFTER").least(5)];
    }

    /// A connection that one side broke off.
    pub struct Reset in "tcp.reset" {
        /// When it was.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// Who has the socket.
        owners: Owners = label().columns(Owners::COLUMNS).flat(), text [own("OWNER", "owner").after("local")];
        /// This host's address and port.
        local: End = label(), text [own("CONNECTION", "connection").after("direction")];
        /// The other side's.
        remote: End = label();
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// None: the packet that was answered belongs to no connection.
        state: Option<Cow<'static, str>> = info(), text [words("STATE").least(11).after("direction")];
        /// Which side did.
        direction: Direction = label(), text [words("RESET").least(8)];
        /// In the kernel's words; of those sent, on kernels that tell it.
        reason: Option<String> = info().optional(), text [own("WHY", "why").after("owners")];
    }

    /// Why a packet was dropped.
    pub struct DropCause in "tcp.drop_cause" derive(Eq, Hash) {
        /// In the kernel's words.
        reason: Known<String> = label().source("kfree_skb");
        /// The kernel's function.
        function: Known<String> = label().source("kfree_skb");
    }

    /// A packet that was dropped.
    pub struct Dropped in "tcp.drop" {
        /// When it was.
        at: Timestamp = label().hidden();
        /// Of the socket that it was for, or from.
        owners: Owners = label().columns(Owners::COLUMNS).flat();
        /// Who sent it.
        from: End = label();
        /// Whom it was for.
        to: End = label();
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// None: the packet had no socket, or none yet.
        state: Option<Cow<'static, str>> = info();
        /// All of it.
        bytes: u64 = gauge("bytes");
        /// As tcpdump writes them: `S`, `P.` …
        flags: String = info();
        /// Why, and where.
        cause: DropCause = label().columns(DropCause::COLUMNS).flat();
    }

    /// Packets that were dropped for one cause, of one port.
    pub struct DropSite in "tcp.drops" {
        /// Why, and where.
        cause: DropCause = label().columns(DropCause::COLUMNS).flat(),
            text [own("REASON", "reason").after("port"), own("FUNCTION", "function").after("port")];
        /// The service's; none: both are of the range that is given to those who connect.
        port: Option<u16> = label(), text [number("PORT").least(5).after("bytes")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// How many.
        packets: u64 = counter("packets").source("kfree_skb"), text [rate("DROP/s").least(6)];
        /// All of them.
        bytes: u64 = counter("bytes").source("kfree_skb"), text [kibibytes_rate("KiB/s").least(6)];
    }

    /// A socket that listens, and threw requests for connections away, or is full.
    pub struct Listener in "tcp.listeners" {
        /// Who has the socket.
        owners: Owners = label().columns(Owners::COLUMNS).flat(), text [own("OWNER", "owner").after("local")];
        /// Where it listens.
        local: End = label(), text [own("LISTENS AT", "at").after("limit")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// Requests for connections that were thrown away.
        dropped: u64 = counter("requests"), text [rate("DROP/s").least(6)];
        /// Connections that wait to be accepted now.
        queue: u32 = gauge("connections"), text [number("QUEUE").least(5)];
        /// How many may: the kernel lets one more wait.
        limit: u32 = gauge("connections"), text [number("LIMIT").least(5)];
    }

    /// Connections that were opened to one address and port, or to several taken together.
    pub struct Remote in "tcp.remotes" {
        /// What the row stands for, in words, where it is not one address and port.
        group: Option<String> = label().optional();
        /// The other side; of a group, that of one of them.
        end: End = label().key("remote").unless("group"), text [own("REMOTE", "remote").after("latency")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// How many ended how.
        outcomes: Outcomes = counter("connections").key("connections").source("inet_sock_set_state"), text [
            own("OPEN/s", "opened").right().least(6),
            own("FAIL/s", "failed").right().least(6),
            own("FAILED", "why").after("end"),
        ];
        /// Of established ones, from the call until the answer.
        latency: Latency = histogram().source("inet_sock_set_state"), text [
            q50("p50").close().least(5),
            q90("p90").close().least(5),
            q99("p99").close().least(5),
            longest("MAX").close().least(5),
            spark(Room::Wide),
        ];
    }

    /// What was sent again on one connection, or on several taken together.
    pub struct Flow in "tcp.flows" {
        /// What the row stands for, in words, where it is not one connection.
        group: Option<String> = label().optional();
        /// How many it stands for.
        connections: u64 = gauge("connections"), text [number("CONNS").least(5).after("trips")];
        /// Who has the socket.
        owners: Owners = label().columns(Owners::COLUMNS).flat();
        /// Both ends, of one connection.
        ends: Option<Ends> = label().columns(Ends::COLUMNS).flat().optional(),
            text [own("CONNECTION", "connection").after("state"), own("OWNER", "owner").after("state")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// That has the local address; none: of another network namespace, or there is none any more.
        interface: Option<String> = info().hidden();
        /// As `ss` writes it.
        state: Option<Cow<'static, str>> = info().optional(), text [words("STATE").least(11).after("connections")];
        /// How often something was sent again.
        attempts: u64 = counter("attempts").source("tcp_retransmit_skb");
        /// Of the attempts: those that this host could not send.
        failed: u64 = counter("attempts").source("tcp_retransmit_skb");
        /// What they sent.
        segments: u64 = counter("segments").source("tcp_retransmit_skb"), text [rate("SEGS/s").least(6)];
        /// Their payload.
        bytes: u64 = counter("bytes").source("tcp_retransmit_skb"), text [kibibytes_rate("KiB/s").least(6)];
        /// Since the connections began; none: there is no connection yet.
        sent: Option<Sent> = info().columns(Sent::COLUMNS).flat(), text [own("OF SENT", "share").right().least(7)];
        /// Smoothed round-trip times, whenever something was sent again.
        trips: Latency = histogram().parts(&[("srtt_p50_us", "p50_us"), ("srtt_p99_us", "p99_us")]),
            text [q50("RTT p50").least(7), q99("p99").close().least(5)];
    }
}

impl Sent {
    pub fn new(segments: u64, again: u64) -> Self {
        Self { segments, again, share: (segments > 0).then(|| again as f64 / segments as f64) }
    }
}

impl Listener {
    pub fn is_full(&self) -> bool {
        self.queue > self.limit
    }
}

impl Flow {
    /// Of the segments that the connections sent since they began, the share that was sent again.
    pub fn share(&self) -> Option<f64> {
        self.sent?.share
    }
}
