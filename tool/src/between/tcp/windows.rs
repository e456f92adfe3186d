//! Connections that cannot send because the other side does not read.

use std::{collections::BTreeMap, time::Duration};

use stillwatch_common::tcp::{Ends, SocketSeen};

use super::{ends, foreign};
use crate::{
    sample::{self, Lasting},
    snapshot::{
        Who,
        tcp::{ClosedWindow, Owners},
        who::text,
    },
    table::{Bounded, Known, Why, in_order},
};

/// A window that closes for a moment is how TCP slows a sender down.
const LONG: Duration = Duration::from_secs(1);
const NOT_HERE: &str = "no socket of this host does not read there";

pub fn closed_windows(after: &sample::Tcp, shown: impl Fn(&Ends) -> bool) -> Known<Bounded<ClosedWindow>> {
    if let Some(why) = &after.no_sockets {
        return Known::Not(Why::Unavailable(why.clone().into()));
    }
    let mut senders: BTreeMap<u64, Vec<&Lasting>> = BTreeMap::new();
    let windows = &after.sockets.connections;
    let all =
        windows.iter().filter(|row| row.end.what == SocketSeen::SENDS && row.age() >= LONG && shown(&row.end.ends));
    all.for_each(|row| senders.entry(row.end.inode).or_default().push(row));
    let reader = |of: &Ends| {
        windows.iter().find(|row| {
            let Ends { local, remote, local_port, remote_port, .. } = row.end.ends;
            row.end.what == SocketSeen::READS
                && (local, local_port, remote, remote_port) == (of.remote, of.remote_port, of.local, of.local_port)
        })
    };
    let row = |holders: Vec<&Lasting>| {
        let first = holders.first()?;
        let reader = reader(&first.end.ends);
        let ends = ends(&first.end.ends);
        Some(ClosedWindow {
            owners: owners(&holders),
            local: ends.local,
            remote: ends.remote,
            netns: foreign(first.end.ends.netns, after),
            unsent: first.end.bytes.into(),
            age: first.age(),
            reader: reader.map_or_else(|| Who { unknown: Some(NOT_HERE.into()), ..Who::default() }, who),
            unread: reader.map(|row| row.end.bytes.into()),
        })
    };
    let mut rows: Vec<_> = senders.into_values().filter_map(row).collect();
    in_order(&mut rows);
    rows.into()
}

fn who(closed: &Lasting) -> Who {
    Who { comm: Some(text(&closed.end.comm)), ..Who::living(closed.end.pid) }
}

fn owners(holders: &[&Lasting]) -> Owners {
    let mut all: Vec<Who> = holders.iter().map(|closed| who(closed)).collect();
    // A process may have several descriptors of one socket.
    all.sort_by_key(|who| who.pid);
    all.dedup_by_key(|who| who.pid);
    let who = all.first().cloned().unwrap_or_default();
    if all.len() == 1 {
        all.clear();
    }
    Owners { who, shared: all, past: false }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn closed(pid: u32, what: u32, ports: (u16, u16), seconds: u64) -> Lasting {
        let ends = Ends { local_port: ports.0, remote_port: ports.1, ..Ends::default() };
        let inode = ports.0.into();
        let end = SocketSeen { inode, ends, bytes: 1000 + pid, pid, what, ..SocketSeen::default() };
        Lasting { end, since: Duration::from_secs(10), seen: Duration::from_secs(10 + seconds) }
    }

    #[test]
    fn who_does_not_read_is_the_other_end() {
        let connections = vec![
            closed(5, 0, (40_000, 80), 3),
            closed(4, 0, (40_000, 80), 3),
            closed(9, 1, (80, 40_001), 3),
            closed(8, 1, (80, 40_000), 3),
            closed(6, 0, (40_002, 80), 2),
            closed(7, 0, (40_003, 80), 0),
            closed(7, SocketSeen::CLOSE_WAIT, (40_004, 80), 9),
        ];
        let sample = sample::Tcp {
            sockets: Rc::new(sample::SocketsSeen { connections, ..Default::default() }),
            ..sample::Tcp::default()
        };
        let rows = closed_windows(&sample, |_| true);
        let rows: Vec<_> = rows.value().unwrap().iter().collect();
        let pids = |row: &ClosedWindow| (row.owners.who.pid, row.owners.shared.len(), row.reader.pid, row.unread);
        let seen: Vec<_> = rows.iter().map(|row| (row.local.port, pids(row))).collect();
        assert_eq!(seen, [(40_000, (Some(4), 2, Some(8), Some(1008))), (40_002, (Some(6), 0, None, None))]);
        assert_eq!(rows[1].reader.unknown.as_deref(), Some(NOT_HERE));
    }

    #[test]
    fn where_they_cannot_be_looked_at_none_is_fine() {
        let refused = sample::Tcp { no_sockets: Some("refused".into()), ..sample::Tcp::default() };
        assert_eq!(closed_windows(&refused, |_| true).why(), Some(&Why::Unavailable("refused".into())));
    }
}
