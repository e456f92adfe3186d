//! Sockets that listen, and could not take all that came between two readings.

use stillwatch_common::tcp::{self, Ends};

use super::{Socket, end, foreign, owners};
use crate::{
    sample,
    snapshot::tcp::Listener,
    table::{Bounded, Known, Why, in_order},
};

pub fn listeners(before: &sample::Tcp, after: &sample::Tcp, shown: impl Fn(&Ends) -> bool) -> Known<Bounded<Listener>> {
    if let Some(why) = &after.no_listeners {
        return Known::Not(Why::Unavailable(why.clone().into()));
    }
    let listener = |now: &tcp::Listener| {
        let earlier = before.listeners.get(&now.sock);
        let same = earlier.filter(|earlier| earlier.ends == now.ends);
        let dropped = match (earlier, same) {
            // When it began to listen, and what it dropped before it was seen, is not known.
            (None, _) => 0,
            (_, same) => now.drops.wrapping_sub(same.map_or(0, |earlier| earlier.drops)),
        };
        let full = same.into_iter().chain(Some(now)).any(|reading| reading.queue >= reading.limit.max(1));
        let connected = false;
        Listener {
            local: end(now.ends.local, now.ends.local_port),
            netns: foreign(now.ends.netns, after),
            owners: owners(&Socket { sock: now.sock, inode: now.inode, at_ns: 0, connected, opener: None }, after),
            dropped: dropped.into(),
            queue: Some(now.queue),
            limit: now.limit,
            half_open: Some(now.half_open).filter(|&count| count != tcp::Listener::NOT_KNOWN),
            full,
        }
    };
    let mut rows: Vec<Listener> = after.listeners.values().filter(|now| shown(&now.ends)).map(listener).collect();
    rows.retain(|row| row.dropped > 0 || row.is_full());
    in_order(&mut rows);
    rows.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_shown_when_it_dropped_something_or_is_full() {
        let listener = |sock, port, queue, drops| tcp::Listener {
            sock,
            queue,
            drops,
            limit: 4,
            ends: Ends { local_port: port, ..Ends::default() },
            ..tcp::Listener::default()
        };
        let sample = |all: &[tcp::Listener]| sample::Tcp {
            listeners: all.iter().map(|listener| (listener.sock, *listener)).collect(),
            ..sample::Tcp::default()
        };
        let before = sample(&[listener(1, 80, 0, u32::MAX), listener(2, 81, 4, 7), listener(3, 82, 0, 5)]);
        let after = sample(&[
            listener(1, 80, 0, 1),
            listener(2, 81, 5, 7),
            listener(3, 90, 0, 3),
            listener(4, 91, 4, 0),
            listener(5, 92, 0, 1715),
        ]);
        let rows = listeners(&before, &after, |_| true);
        let rows: Vec<_> =
            rows.value().unwrap().iter().map(|row| (row.local.port, row.dropped, row.full, row.is_full())).collect();
        // The counter wraps; an address that is another socket's by now begins anew; the first reading of one is no difference.
        assert_eq!(rows, [(90, 3, false, false), (80, 2, false, false), (81, 0, true, true)]);
    }

    #[test]
    fn where_they_cannot_be_looked_at_none_is_fine() {
        let refused = sample::Tcp { no_listeners: Some("refused".into()), ..sample::Tcp::default() };
        assert_eq!(listeners(&refused, &refused, |_| true).why(), Some(&Why::Unavailable("refused".into())));
    }
}
