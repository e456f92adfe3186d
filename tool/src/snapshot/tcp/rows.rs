//! What TCP did in an interval, by connection, remote, socket and cause.

use std::{borrow::Cow, cmp::Reverse, time::Duration};

use super::{DropCause, End, Ends, Outcomes, Owners, failed};
use crate::{
    snapshot::{Latency, Who},
    table::{placed, table},
};

table! {
    /// What was sent since the connections began.
    pub struct Sent in "tcp.sent" derive(Copy) {
        /// Segments.
        segments: u64 = gauge("segments").key("sent_segments");
        /// Of these: retransmitted.
        again: u64 = gauge("segments").key("retransmitted_segments");
        /// The part that was retransmitted; none where nothing was sent.
        share: Option<f64> = gauge("of 1");
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
        /// Requests for connections that were dropped, nearly always because the accept queue overflowed.
        dropped: u64 = counter("requests"), text [rate("DROP/s").least(6)];
        /// Connections that wait to be accepted now; none: at the end of a longer interval the queue was not full.
        queue: Option<u32> = gauge("connections").now(), text [number("QUEUE").least(5)];
        /// How many may: the kernel lets one more wait.
        limit: u32 = gauge("connections"), text [number("LIMIT").least(5)];
        /// As many as may waited, now or at the last reading.
        full: bool = flag().now().hidden().sparse();
    }

    /// A connection that has something to send, and whose other side has closed its window: it does not read.
    pub struct ClosedWindow in "tcp.closed_windows" {
        /// Who has the socket that sends.
        owners: Owners = label().columns(Owners::COLUMNS).flat(), text [own("SENDER", "owner").after("unsent")];
        /// This host's address and port.
        local: End = label(), text [own("CONNECTION", "connection").after("unsent")];
        /// The other side's.
        remote: End = label();
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// For how long nothing has been acknowledged, at least.
        age: Duration = gauge("ns").max().key("age_ns"), text [duration("CLOSED").least(6)];
        /// Written and not acknowledged.
        unsent: u64 = gauge("bytes").source("tcp_sock.write_seq"), text [bytes("UNSENT").least(7)];
        /// Who has the other side's socket, where it is on this host, and nothing is translated between the two.
        reader: Who = label().columns(Who::COLUMNS), text [own("NOT READ BY", "reader")];
        /// Received there and not read.
        unread: Option<u64> = gauge("bytes").source("tcp_sock.copied_seq");
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

    /// What was retransmitted on one connection, or on several taken together.
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
        /// How often something was retransmitted.
        attempts: u64 = counter("attempts").source("tcp_retransmit_skb");
        /// Of the attempts: those that this host could not send.
        failed: u64 = counter("attempts").source("tcp_retransmit_skb");
        /// What they sent.
        segments: u64 = counter("segments").source("tcp_retransmit_skb"), text [rate("SEGS/s").least(6)];
        /// Their payload.
        bytes: u64 = counter("bytes").source("tcp_retransmit_skb"), text [kibibytes_rate("KiB/s").least(6)];
        /// Since the connections began; none: there is no connection yet.
        sent: Option<Sent> = info().columns(Sent::COLUMNS).flat(), text [own("OF SENT", "share").right().least(7)];
        /// Smoothed round-trip times, whenever something was retransmitted.
        trips: Latency = histogram().parts(&[("srtt_p50_ns", "p50_ns"), ("srtt_p99_ns", "p99_ns"), ("srtt_histogram", "histogram")]),
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
        self.queue.is_some_and(|queue| queue > self.limit)
    }
}

impl Flow {
    /// Of the segments that the connections sent since they began, the share that was retransmitted.
    pub fn share(&self) -> Option<f64> {
        self.sent?.share
    }
}

placed! {
    Flow: row => (Reverse((row.segments, row.attempts)), &row.group, row.ends);
    Remote: row => (Reverse((failed(&row.outcomes), row.latency.total_ns)), &row.group, row.end);
    Listener: row => (Reverse((row.dropped, row.queue)), row.local);
    ClosedWindow: row => (Reverse((row.age, row.unsent)), row.local);
    DropSite: row => {
        let DropCause { reason, function } = &row.cause;
        (Reverse(row.packets), reason.value(), function.value(), row.port, row.netns)
    };
}
