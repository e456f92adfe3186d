//! What TCP did in an interval, by connection, remote, socket and cause.

use std::{borrow::Cow, cmp::Reverse, time::Duration};

use super::{DropCause, End, Ends, Outcomes, Owners, failed};
use crate::{
    snapshot::{Latency, Who},
    table::{placed, table},
};

/// What is said of the connection that a process has not closed for the longest time.
const OLDEST: &[(&str, &str)] = &[("close_wait_oldest_local", "local"), ("close_wait_oldest_remote", "remote")];

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
        local: End = label(), text [own("LISTENS AT", "at").after("half_open")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// Requests for connections that were dropped, nearly always because the accept queue overflowed.
        dropped: u64 = counter("requests"), text [rate("DROP/s").least(6)];
        /// Connections that wait to be accepted now; none: at the end of a longer interval the queue was not full.
        queue: Option<u32> = gauge("connections").now(), text [number("QUEUE").least(5)];
        /// How many may: the kernel lets one more wait.
        limit: u32 = gauge("connections"), text [number("LIMIT").least(5)];
        /// Connections of which the handshake goes on: as many may, where SYN cookies are off; none: this kernel does not tell.
        half_open: Option<u32> = gauge("connections").now().source("request_sock_queue.qlen"),
            text [number("HALF-OPEN").least(9).unless_unknown()];
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

    /// What a process has of TCP sockets in one network namespace.
    pub struct Sockets in "tcp.sockets" {
        /// Whose.
        who: Who = label().columns(Who::COLUMNS).flat(), text [comm("SOCKETS"), pid("PID"), cgroup("CGROUP").after("oldest")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// That listen.
        listening: u64 = gauge("descriptors").now().source("sock_common.skc_state");
        /// That are about to be opened: no answer yet.
        syn_sent: u64 = gauge("descriptors").now();
        /// Connections.
        established: u64 = gauge("descriptors").now(), text [count("ESTAB").least(6)];
        /// That the process has closed one direction of, or both.
        closing: u64 = gauge("descriptors").now();
        /// Neither connected nor listening: not yet, or broken off and still held.
        closed: u64 = gauge("descriptors").now(), text [count("CLOSED").close().least(6)];
        /// That the other side has closed, and the process has not.
        close_wait: u64 = gauge("descriptors").now(), text [count("CLOSE-WAIT").close().least(10)];
        /// Of these, as far as was looked, those that have been so for 30 s.
        lasting: u64 = gauge("descriptors").now().key("close_wait_30s"), text [count(">30s").close().least(5)];
        /// How many more these are than when they were fewer for the last time; none: not looked at for long enough.
        grew: Option<u64> = gauge("descriptors").now().key("close_wait_grew"), text [count("GREW").close().least(5)];
        /// For how long they have not become fewer.
        grew_in: Option<Duration> = gauge("ns").now().key("close_wait_grew_in_ns"), text [duration("IN").close().least(5)];
        /// How often they became more in that time, ten seconds apart or more.
        rises: Option<u64> = gauge("times").now().key("close_wait_rises");
        /// For how long the oldest has been so, at least.
        age: Option<Duration> = gauge("ns").now().key("close_wait_oldest_ns");
        /// Both ends of that.
        oldest: Option<Ends> = info().columns(Ends::COLUMNS).parts(OLDEST),
            text [own("THE OLDEST", "oldest")];
    }

    /// A network namespace in which somebody lives.
    pub struct Namespace in "tcp.namespaces" derive(Default) {
        /// Its number, if it is not ours.
        netns: Option<u32> = label(), text [own("NAMESPACE", "namespace")];
        /// A process that lives there.
        inhabitant: Who = info().columns(Who::COLUMNS), text [own("OF", "inhabitant").after("tracked_limit")];
        /// TCP sockets in use.
        sockets: Option<u64> = gauge("sockets").now().source("/proc/PID/net/sockstat"), text [count("SOCKETS").least(7)];
        /// Connections in TIME-WAIT, which no process has any more.
        time_wait: Option<u64> = gauge("connections").now().source("/proc/PID/net/sockstat"),
            text [count("TIME-WAIT").least(9)];
        /// How many may be, of ours (`net.ipv4.tcp_max_tw_buckets`).
        time_wait_limit: Option<u64> = gauge("connections").now(), text [count("LIMIT").close().least(7)];
        /// Connections that the firewall keeps track of.
        tracked: Option<u64> = gauge("connections").now().source("/proc/PID/net/stat/nf_conntrack"),
            text [count("TRACKED").least(7)];
        /// How many it may (`net.netfilter.nf_conntrack_max`).
        tracked_limit: Option<u64> = gauge("connections").now(), text [count("LIMIT").close().least(7)];
    }

    /// Ports that the kernel gives to who connects, of one address and for one remote: half of them are in use.
    pub struct Ports in "tcp.ports" {
        /// The local address.
        address: String = label(), text [words("PORTS OF").least(15)];
        /// The other side.
        remote: End = label(), text [own("FOR", "remote")];
        /// Number of the network namespace, if it is not ours.
        netns: Option<u32> = label().optional();
        /// How many are in use.
        used: u64 = gauge("ports").now().source("/proc/PID/net/tcp"), text [count("USED").least(6)];
        /// How many there are (`net.ipv4.ip_local_port_range`).
        range: u64 = gauge("ports").now(), text [count("OF").close().least(6)];
        /// In use by connections in TIME-WAIT.
        time_wait: u64 = gauge("ports").now(), text [count("TIME-WAIT").close().least(9)];
        /// The part that no new connection gets: of those in TIME-WAIT the kernel gives some away again (`net.ipv4.tcp_tw_reuse`).
        used_share: f64 = gauge("share").now(), text [share("TAKEN").close().least(5)];
        /// No process was seen that has a socket of that network namespace, whose range is not known then: the kernel's own is assumed.
        assumed: bool = flag().now().sparse();
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

impl Sockets {
    pub fn all(&self) -> u64 {
        [self.listening, self.syn_sent, self.established, self.closing, self.closed, self.close_wait].iter().sum()
    }

    /// The process keeps what the other side has closed, or has many sockets.
    pub fn is_worth_a_line(&self) -> bool {
        self.lasting > 0 || self.all() >= 1000
    }
}

impl Namespace {
    /// A table of the kernel that is half full.
    pub fn is_worth_a_line(&self) -> bool {
        let is_near = |count: Option<u64>, limit: Option<u64>| {
            count.zip(limit).is_some_and(|(count, limit)| limit > 0 && count >= limit / 2)
        };
        is_near(self.time_wait, self.time_wait_limit) || is_near(self.tracked, self.tracked_limit)
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
    Sockets: row => (Reverse((row.lasting, row.close_wait, row.all())), row.who.pid, row.netns);
    Ports: row => (Reverse(row.used_share.to_bits()), row.remote, row.netns);
    Namespace: row => (row.netns,);
    ClosedWindow: row => (Reverse((row.age, row.unsent)), row.local);
    DropSite: row => {
        let DropCause { reason, function } = &row.cause;
        (Reverse(row.packets), reason.value(), function.value(), row.port, row.netns)
    };
}
