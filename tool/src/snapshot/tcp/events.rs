//! What happened on TCP at one moment each.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;

use super::{Direction, End, OWNER, Outcome, Owners, RetransmitKind};
use crate::{
    snapshot::Who,
    table::{Known, table},
};

table! {
    /// How much may be on its way.
    pub struct Window in "tcp.window" derive(Copy, Eq) {
        /// Segments, by the congestion window.
        cwnd: u32 = gauge("segments");
        /// Where it grows slower; none: not reached yet.
        ssthresh: Option<u32> = gauge("segments");
        /// Segments that are on their way.
        in_flight: u32 = gauge("segments");
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
        kind: RetransmitKind = label(), text [words("KIND").least(6)];
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
        /// The packet's sequence number, by which it is found among others.
        sequence: u32 = info();
        /// Why, and where.
        cause: DropCause = label().columns(DropCause::COLUMNS).flat();
        /// How full the firewall's table of connections is, where it has no room for another one.
        connections_full: Option<String> = info().source("/proc/PID/net/stat/nf_conntrack").optional();
    }
}
