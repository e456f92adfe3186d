//! Packets that were dropped between two readings.

use std::collections::HashMap;

use jiff::Timestamp;
use stillwatch_common::tcp;

use super::{NO_SOCKET, Socket, TCP_LISTEN, ends, foreign, owners, state};
use crate::{
    cli::plan,
    sample,
    snapshot::{
        Who,
        tcp::{DropCause, DropSite, Dropped, Ends, NO_REASONS, Owners},
    },
    table::{Known, Why, in_order},
};

const NOT_TOLD: &str = "the kernel does not tell the packet's socket";
const NO_FUNCTION: &str = "not a function that the kernel names";

pub fn dropped(dropped: &tcp::Dropped, at: Timestamp, sample: &sample::Tcp) -> Dropped {
    let Ends { local: to, remote: from } = ends(&dropped.ends);
    // What is known of a listening socket is not about the connection that it is asked for.
    let connected = dropped.state != TCP_LISTEN;
    let socket = Socket { sock: dropped.sock, inode: dropped.inode, at_ns: dropped.at_ns, connected, opener: None };
    let cause = cause(dropped.reason, dropped.location, sample);
    let owners = match dropped.sock {
        0 => {
            let none = cause.reason.value().is_some_and(|reason| reason == "no socket");
            let unknown = Some(if none { NO_SOCKET } else { NOT_TOLD });
            Owners { who: Who { unknown: unknown.map(Into::into), ..Who::default() }, ..Owners::default() }
        }
        _ => owners(&socket, sample),
    };
    Dropped {
        at,
        from,
        to,
        netns: netns(dropped.ends.netns, sample),
        owners,
        state: (dropped.sock != 0).then(|| state(dropped.state)),
        bytes: dropped.bytes.into(),
        flags: flags(dropped.flags),
        sequence: dropped.sequence,
        cause,
        connections_full: None,
    }
}

/// 0: the packet was at no device, and had no socket.
fn netns(number: u32, sample: &sample::Tcp) -> Option<u32> {
    foreign(number, sample).filter(|&number| number != 0)
}

/// As tcpdump writes them; `none` where there is none.
fn flags(bits: u8) -> String {
    let letters = [(2, 'S'), (1, 'F'), (4, 'R'), (8, 'P'), (32, 'U'), (64, 'E'), (128, 'W'), (16, '.')];
    let set: String = letters.iter().filter(|(bit, _)| bits & bit != 0).map(|&(_, letter)| letter).collect();
    if set.is_empty() { "none".to_owned() } else { set }
}

fn cause(reason: u32, location: u64, sample: &sample::Tcp) -> DropCause {
    let words = || sample.reasons.drops.get(&reason).cloned().unwrap_or_else(|| format!("reason {reason}"));
    let unknown = || Why::Unknown(sample.no_functions.clone().map_or(NO_FUNCTION.into(), Into::into));
    let function = sample.functions.get(&location).cloned();
    DropCause {
        // No kernel that tells reasons drops a packet for number 0.
        reason: if reason == 0 { Known::unavailable(NO_REASONS) } else { words().into() },
        function: function.map_or_else(|| Known::Not(unknown()), Known::Value),
    }
}

/// A function may drop packets in several places.
pub fn sites(before: &sample::Tcp, after: &sample::Tcp, plan: &plan::Tcp) -> Vec<DropSite> {
    let mut sums: HashMap<_, (u64, u64)> = HashMap::new();
    for (site, now) in &after.drops {
        let earlier = before.drops.get(site).filter(|earlier| earlier.packets <= now.packets).copied();
        let earlier = earlier.unwrap_or_default();
        let shown = plan.ports.is_empty() || plan.ports.contains(&site.port);
        if shown && now.packets > earlier.packets {
            let port = (site.port != 0).then_some(site.port);
            let key = (cause(site.reason, site.location, after), port, netns(site.netns, after));
            let (packets, bytes) = sums.entry(key).or_default();
            *packets += now.packets - earlier.packets;
            *bytes += now.bytes - earlier.bytes;
        }
    }
    let site = |((cause, port, netns), (packets, bytes))| DropSite { cause, port, netns, packets, bytes };
    let mut sites: Vec<DropSite> = sums.into_iter().map(site).collect();
    in_order(&mut sites);
    sites
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::ReasonNames;

    #[test]
    fn flags_are_written_as_by_tcpdump() {
        assert_eq!([2, 0x12, 0x18, 0x11, 4, 0].map(flags), ["S", "S.", "P.", "F.", "R", "none"]);
    }

    #[test]
    fn places_in_one_function_are_one_row() {
        let site = |location, reason| tcp::DropSite { location, reason, port: 80, netns: 0, ..Default::default() };
        let count = |packets| tcp::Drops { packets, bytes: 60 * packets };
        let sample = |a, b, c| sample::Tcp {
            drops: [(site(1, 5), count(a)), (site(2, 5), count(b)), (site(3, 0), count(c))].into(),
            functions: [(1, "tcp_v4_rcv".to_owned()), (2, "tcp_v4_rcv".to_owned())].into(),
            reasons: std::rc::Rc::new(ReasonNames {
                drops: [(5, "socket filter".to_owned())].into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let plan = |ports| plan::Tcp { ports, ..plan::Tcp::default() };
        let rows = sites(&sample(1, 0, 7), &sample(3, 5, 7), &plan(vec![]));
        let filter =
            DropCause { reason: Known::Value("socket filter".into()), function: Known::Value("tcp_v4_rcv".into()) };
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!((&rows[0].cause, rows[0].packets, rows[0].bytes, rows[0].port), (&filter, 7, 420, Some(80)));
        let rows = sites(&sample(0, 0, 0), &sample(0, 0, 2), &plan(vec![80]));
        assert_eq!((rows[0].cause.reason.is_known(), rows[0].cause.function.is_known()), (false, false));
        assert!(sites(&sample(0, 0, 0), &sample(1, 1, 2), &plan(vec![81])).is_empty());
    }
}
