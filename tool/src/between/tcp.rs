//! From two readings of the `tcp` probe's maps to what was retransmitted between them.

mod connects;
mod drops;
mod listeners;
mod packets;
mod sockets;
mod windows;

pub use self::packets::packets;

use std::{
    borrow::Cow,
    cmp::Reverse,
    net::{IpAddr, Ipv6Addr},
};

use jiff::Timestamp;
use stillwatch_common::tcp::{self, RetransmitKind};

use super::Span;
use crate::{
    cli::plan,
    sample::{self, Moment},
    snapshot::{
        Latency, Who,
        tcp::{
            Direction, End, Ends, Events, Flow, NoRoute, Outcomes, Owners, Reset, Retransmit, Sent, Tcp, Totals, Window,
        },
    },
    table::in_order,
};

pub fn between(before: &sample::Tcp, after: &sample::Tcp, span: &Span, plan: &plan::Tcp) -> Tcp {
    let mut flows: Vec<Flow> = after
        .flows
        .iter()
        .filter(|(ends, _)| shown(ends, plan))
        .filter_map(|(ends, flow)| self::flow(ends, before.flows.get(ends), flow, after))
        .collect();
    in_order(&mut flows);
    let network =
        after.network.iter().filter_map(|(&name, now)| Some((name, now.checked_sub(*before.network.get(name)?)?)));
    Tcp {
        totals: totals(&before.totals, &after.totals),
        events: Events::of(after, span.to, plan),
        flows: flows.into(),
        by: (plan.by != plan::FlowsBy::Flow).then_some(plan.by),
        reset_totals: std::array::from_fn(|at| after.reset_totals[at] - before.reset_totals[at]),
        remotes: connects::remotes(before, after, |ends| shown(ends, plan)).into(),
        opened: Outcomes(std::array::from_fn(|outcome| after.outcomes[outcome] - before.outcomes[outcome])),
        drops: (plan.drops && !after.no_drops).then(|| drops::sites(before, after, plan).into()),
        dropped: after.dropped - before.dropped,
        listeners: listeners::listeners(before, after, |ends| shown(ends, plan)),
        closed_windows: windows::closed_windows(after, |ends| shown(ends, plan)),
        sockets: sockets::sockets(after, plan),
        namespaces: sockets::namespaces(after),
        ports: sockets::ports(after, |ends| shown(ends, plan)),
        network: network.collect(),
        no_routes: no_routes(before, after),
        namespaces_left_out: after.namespaces_left_out,
        filtered: !plan.ports.is_empty() || !plan.addresses.is_empty(),
        events_only: plan.events,
    }
}

impl Events {
    /// The single events of a sample that was taken at that moment.
    pub fn of(sample: &sample::Tcp, taken: Moment, plan: &plan::Tcp) -> Self {
        let events = &sample.events;
        let retransmits = events.retransmits.iter().filter(|event| shown(&event.ends, plan));
        let connects = events.connects.iter().filter(|connect| shown(&connect.ends, plan));
        let resets = events.resets.iter().filter(|reset| shown(&reset.ends, plan));
        let drops = events.drops.iter().filter(|dropped| shown(&dropped.ends, plan));
        Self {
            retransmits: retransmits.map(|event| retransmit(event, taken.wall_at(event.at_ns), sample)).collect(),
            connects: connects
                .map(|connect| connects::connect(connect, taken.wall_at(connect.at_ns), sample))
                .collect(),
            resets: resets.map(|reset| self::reset(reset, taken.wall_at(reset.at_ns), sample)).collect(),
            drops: drops.map(|dropped| drops::dropped(dropped, taken.wall_at(dropped.at_ns), sample)).collect(),
        }
    }
}

fn no_routes(before: &sample::Tcp, after: &sample::Tcp) -> Vec<NoRoute> {
    let grown = |(&netns, now): (&u32, &sample::Namespace)| {
        let before = before.namespaces.get(&netns)?;
        let packets = now.none.checked_sub(before.none).filter(|&packets| packets > 0)?;
        let opened = now.opened.saturating_sub(before.opened);
        Some(NoRoute { netns: foreign(netns, after), packets, opened, inhabitant: Who::living(now.inhabitant) })
    };
    let mut rows: Vec<NoRoute> = after.namespaces.iter().filter_map(grown).collect();
    rows.sort_by_key(|row| (Reverse(row.packets), row.netns));
    rows
}

/// Whether a connection was asked for.
fn shown(ends: &tcp::Ends, plan: &plan::Tcp) -> bool {
    let port = plan.ports.is_empty() || plan.ports.contains(&ends.local_port) || plan.ports.contains(&ends.remote_port);
    let address = |prefix: &plan::Prefix| prefix.contains(ends.local) || prefix.contains(ends.remote);
    port && (plan.addresses.is_empty() || plan.addresses.iter().any(address))
}

fn totals(before: &sample::Retransmits, after: &sample::Retransmits) -> Totals {
    let by_kind = std::array::from_fn(|kind| after.segments[kind].wrapping_sub(before.segments[kind]));
    Totals {
        segments: by_kind.iter().sum(),
        by_kind,
        attempts: after.attempts - before.attempts,
        failed: after.failed - before.failed,
        bytes: after.bytes - before.bytes,
        sampled: after.sampled - before.sampled,
    }
}

fn flow(ends: &tcp::Ends, before: Option<&tcp::Flow>, after: &tcp::Flow, sample: &sample::Tcp) -> Option<Flow> {
    // An account that began anew in between counts from zero.
    let before = before.filter(|before| before.attempts <= after.attempts).copied().unwrap_or_default();
    let attempts = after.attempts - before.attempts;
    if attempts == 0 {
        return None;
    }
    let connected = RetransmitKind::of(after.kind) != RetransmitKind::SynAck;
    Some(Flow {
        group: None,
        connections: 1,
        owners: owners(
            &Socket { sock: after.sock, inode: after.inode, at_ns: after.at_ns, connected, opener: None },
            sample,
        ),
        ends: Some(self::ends(ends)),
        netns: foreign(ends.netns, sample),
        interface: None,
        state: Some(state(after.state)),
        attempts,
        failed: after.failed - before.failed,
        segments: after.segments - before.segments,
        bytes: after.bytes - before.bytes,
        sent: connected.then(|| Sent::new(after.sent.into(), after.sent_again.into())),
        trips: sample.trips.get(ends).map_or_else(Latency::default, trips),
    })
}

/// The kernel keeps these; their sum means nothing.
fn trips(buckets: &sample::TripTimes) -> Latency {
    Latency::new(buckets.clone(), 0, u64::MAX)
}

fn retransmit(event: &tcp::Retransmit, at: Timestamp, sample: &sample::Tcp) -> Retransmit {
    let Ends { local, remote } = ends(&event.ends);
    let kind = RetransmitKind::of(event.kind);
    let connected = kind != RetransmitKind::SynAck;
    // The kernel's "as much as there may be".
    const INFINITE: u32 = 0x7fff_ffff;
    Retransmit {
        at,
        owners: owners(
            &Socket { sock: event.sock, inode: event.inode, at_ns: event.at_ns, connected, opener: None },
            sample,
        ),
        local,
        remote,
        netns: foreign(event.ends.netns, sample),
        state: state(event.state),
        kind,
        segments: event.segments.into(),
        bytes: event.bytes.into(),
        retransmits: event.retransmits,
        backoff: event.backoff,
        srtt_us: Some(event.srtt_us).filter(|&srtt| srtt != 0),
        window: connected.then_some(Window {
            cwnd: event.cwnd,
            ssthresh: Some(event.ssthresh).filter(|&ssthresh| ssthresh < INFINITE),
            in_flight: event.in_flight,
        }),
        failed: (event.error != 0).then_some(event.error.wrapping_neg()),
        // Before the handshake is over, nothing is known of the other side's window.
        zero_window: event.window == 0 && connected && kind != RetransmitKind::Syn,
    }
}

const TCP_LISTEN: u8 = 10;

fn reset(reset: &tcp::Reset, at: Timestamp, sample: &sample::Tcp) -> Reset {
    let Ends { local, remote } = ends(&reset.ends);
    let direction = if reset.direction == Direction::Sent as u8 { Direction::Sent } else { Direction::Received };
    let connected = reset.state != TCP_LISTEN;
    let opener = Some(&reset.opener).filter(|opener| opener.at_ns != 0);
    let socket = Socket { sock: reset.sock, inode: reset.inode, at_ns: reset.at_ns, connected, opener };
    let owners = match reset.sock {
        0 => Owners { who: Who { unknown: Some(NO_SOCKET.into()), ..Who::default() }, ..Owners::default() },
        _ => owners(&socket, sample),
    };
    Reset {
        at,
        owners,
        local,
        remote,
        netns: foreign(reset.ends.netns, sample),
        state: (reset.sock != 0).then(|| state(reset.state)),
        direction,
        reason: sample.reasons.resets.get(&reset.reason).filter(|_| direction == Direction::Sent).cloned(),
    }
}

const NO_SOCKET: &str = "no process has such a socket";
const CLOSED_BEFORE: &str =
    "its socket was closed before we started, or its process ended before it could be looked up";
const HELD_BY_NONE: &str =
    "no process holds the socket: it was closed before it could be looked up, or is a kernel service's";
const NOT_LOOKED: &str = "too many descriptors on this host to look through them at every tick";

/// A socket, when something was retransmitted on it.
struct Socket<'a> {
    sock: u64,
    inode: u64,
    at_ns: u64,
    /// Not one that only listens.
    connected: bool,
    /// Who opened or closed it, where the event came with that.
    opener: Option<&'a tcp::Opener>,
}

/// Those who hold the socket; of one that nobody holds, who closed it, or opened it.
fn owners(&Socket { sock, inode, at_ns, connected, opener }: &Socket, sample: &sample::Tcp) -> Owners {
    if let Some(holders) = sample.holders.get(&inode).filter(|_| inode != 0) {
        let mut all: Vec<Who> =
            holders.iter().map(|holder| Who { comm: Some(holder.comm.clone()), ..Who::living(holder.pid) }).collect();
        let who = all.first().cloned().unwrap_or_default();
        if all.len() == 1 {
            all.clear();
        }
        return Owners { who, shared: all, past: false };
    }
    // Addresses of sockets are used again; what is known of a listening one is not about the connection that it is asked for.
    let same =
        |opener: &&tcp::Opener| connected && if inode == 0 { opener.at_ns <= at_ns } else { opener.inode == inode };
    // One that was given up since, and whose address another socket has now, came with who opened it.
    let given_up = || {
        let mut openers = sample.events.connects.iter().map(|connect| &connect.opener);
        openers.find(|opener| inode != 0 && opener.inode == inode)
    };
    if let Some(opener) = opener.or_else(|| sample.openers.get(&sock).filter(same)).or_else(given_up) {
        return Owners { who: recorded(opener), shared: Vec::new(), past: true };
    }
    let unknown = Some(match inode {
        0 => CLOSED_BEFORE,
        _ if sample.looked => HELD_BY_NONE,
        _ => NOT_LOOKED,
    });
    Owners { who: Who { unknown: unknown.map(Into::into), ..Who::default() }, ..Owners::default() }
}

fn recorded(opener: &tcp::Opener) -> Who {
    Who::owner(opener.owner, &opener.comm, opener.cgroup)
}

fn ends(ends: &tcp::Ends) -> Ends {
    Ends { local: end(ends.local, ends.local_port), remote: end(ends.remote, ends.remote_port) }
}

fn end(octets: [u8; 16], port: u16) -> End {
    let address: IpAddr = Ipv6Addr::from(octets).to_canonical();
    End { address, port }
}

fn foreign(netns: u32, sample: &sample::Tcp) -> Option<u32> {
    Some(netns).filter(|&netns| Some(netns) != sample.netns)
}

/// As `ss` writes it.
fn state(number: u8) -> Cow<'static, str> {
    const STATES: [&str; 13] = [
        "unknown",
        "established",
        "syn-sent",
        "syn-recv",
        "fin-wait-1",
        "fin-wait-2",
        "time-wait",
        "close",
        "close-wait",
        "last-ack",
        "listen",
        "closing",
        "new-syn-recv",
    ];
    STATES.get(number as usize).copied().unwrap_or("unknown").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Holder;

    fn mapped(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last]
    }

    #[test]
    fn who_holds_a_socket_stands_before_who_opened_it() {
        let comm = *b"client\0\0\0\0\0\0\0\0\0\0";
        let opener = tcp::Opener { owner: 7 << 32 | 5, at_ns: 100, inode: 12, cgroup: 0, comm };
        let socket = |sock, inode, connected| Socket { sock, inode, at_ns: 200, connected, opener: None };
        let holder = |pid| Holder { pid, comm: "worker".into() };
        let mut sample = sample::Tcp { openers: [(0xff, opener)].into(), ..sample::Tcp::default() };
        let closed = owners(&socket(0xff, 0, true), &sample);
        assert_eq!((closed.who.pid, closed.who.comm.as_deref(), closed.past), (Some(7), Some("client"), true));
        sample.holders.insert(12, vec![holder(8)]);
        assert_eq!(owners(&socket(0xff, 12, true), &sample).who.pid, Some(8));
        sample.holders.insert(12, vec![holder(8), holder(9)]);
        let both = owners(&socket(0xff, 12, true), &sample);
        assert_eq!(both.shared.iter().map(|who| who.pid).collect::<Vec<_>>(), [Some(8), Some(9)]);
        // Nobody is known, and nobody is named.
        assert_eq!(
            owners(&socket(0xee, 0, true), &sample).who,
            Who { unknown: Some(CLOSED_BEFORE.into()), ..Who::default() }
        );
        assert_eq!(owners(&socket(0xff, 0, false), &sample).who.pid, None);
        // The address was given to another socket since.
        assert_eq!(owners(&socket(0xff, 13, true), &sample).who.pid, None);
        let earlier = tcp::Opener { owner: 6 << 32, inode: 13, ..opener };
        sample.events.connects = vec![tcp::Connect { opener: earlier, ..tcp::Connect::default() }];
        assert_eq!(owners(&socket(0xff, 13, true), &sample).who.pid, Some(6));
        assert_eq!(owners(&socket(0xee, 0, true), &sample).who.pid, None);
        assert_eq!(owners(&Socket { at_ns: 99, ..socket(0xff, 0, true) }, &sample).who.pid, None);
        // The event came with its opener.
        assert_eq!(owners(&Socket { opener: Some(&opener), ..socket(0xee, 13, true) }, &sample).who.pid, Some(7));
    }

    #[test]
    fn mapped_addresses_are_written_as_ipv4() {
        let ends = tcp::Ends { local: mapped(1), remote: mapped(2), local_port: 80, remote_port: 40000, netns: 0 };
        let Ends { local, remote } = super::ends(&ends);
        assert_eq!((local.to_string(), remote.to_string()), ("10.0.0.1:80".into(), "10.0.0.2:40000".into()));
    }

    #[test]
    fn an_account_that_began_anew_counts_from_zero() {
        let ends = tcp::Ends { local: mapped(1), ..tcp::Ends::default() };
        let flow = |attempts| tcp::Flow { attempts, segments: 2 * attempts, ..tcp::Flow::default() };
        let sample = sample::Tcp::default();
        let segments =
            |before, after| super::flow(&ends, Some(&flow(before)), &flow(after), &sample).map(|flow| flow.segments);
        assert_eq!((segments(3, 5), segments(5, 5), segments(5, 2)), (Some(4), None, Some(4)));
    }
}
