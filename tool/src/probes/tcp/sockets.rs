//! TCP sockets of processes: how many in which state, and connections that are in one that should not last: a closed window, where one
//! side has something to send and the other does not read, and `CLOSE_WAIT`, where the other side has closed and this one has not.
//!
//! No hook tells of them, so all descriptors are walked over in the kernel, some 0.3 µs each: at a tick, and on a large host rarer the longer it takes. What one walk found stands until the next.

use std::{collections::HashMap, io, rc::Rc, time::Duration};

use stillwatch_common::tcp::SocketSeen;

use super::close_wait::{Growths, LASTS};
use crate::{
    kernel::{pace::Pace, walk::Walk},
    probes::living_tasks,
    sample::{GivenPorts, Lasting, ProcessSockets, SocketsSeen},
};

/// On a large host it is so many times as rare as others: what it looks at lasts.
const RARER: u32 = 2;

pub struct SocketWalk {
    /// `None`: the kernel refused the iterator.
    walk: Option<Walk>,
    found: Rc<SocketsSeen>,
    growths: Growths,
    pace: Pace,
}

impl SocketWalk {
    pub fn new(walk: Option<Walk>, rest: u32) -> Self {
        Self { walk, found: Rc::default(), growths: Growths::default(), pace: Pace::new(rest * RARER) }
    }

    /// `None`: there is no iterator.
    pub fn read(&mut self, now: Duration) -> io::Result<Option<Rc<SocketsSeen>>> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        if self.pace.is_due(now, living_tasks()) {
            let mut seen = Vec::new();
            // SAFETY: plain integers.
            self.pace.walk(now, || unsafe { walk.records(|&one: &SocketSeen| seen.push(one)) })?;
            let mut found = together(&self.found, seen, now);
            self.growths.note(&mut found.processes, now);
            self.found = Rc::new(found);
        }
        Ok(Some(self.found.clone()))
    }
}

/// What a walk has seen, each connection since when it is so.
fn together(before: &SocketsSeen, seen: Vec<SocketSeen>, now: Duration) -> SocketsSeen {
    let mut found = SocketsSeen::default();
    let mut processes: HashMap<(u32, u32), ProcessSockets> = HashMap::new();
    for one in seen {
        match one.what {
            SocketSeen::PROCESS => {
                add(processes.entry((one.pid, one.ends.netns)).or_default(), &one);
                given(&mut found, &one);
            }
            SocketSeen::NAMESPACE => given(&mut found, &one),
            _ => found.connections.push(Lasting { since: now, seen: now, end: one }),
        }
    }
    since(&before.connections, &mut found.connections);
    for one in found.connections.iter().filter(|one| one.end.what == SocketSeen::CLOSE_WAIT) {
        if let Some(process) = processes.get_mut(&(one.end.pid, one.end.ends.netns)) {
            close_wait(process, one);
        }
    }
    found.processes = processes.into_values().collect();
    found
}

/// The ports that a network namespace gives, if that is known.
fn given(found: &mut SocketsSeen, of: &SocketSeen) {
    let (first, last) = (of.ends.local_port, of.ends.remote_port);
    if last > 0 {
        found.given.insert(of.ends.netns, GivenPorts { first, last, time_wait_reuse: of.bytes });
    }
}

/// Descriptors of threads with a table of their own come apart from those of the others.
fn add(process: &mut ProcessSockets, part: &SocketSeen) {
    (process.pid, process.netns, process.comm) = (part.pid, part.ends.netns, part.comm);
    process.states.iter_mut().zip(part.states).for_each(|(sum, count)| *sum += u64::from(count));
}

fn close_wait(process: &mut ProcessSockets, one: &Lasting) {
    process.lasting += u64::from(one.age() >= LASTS);
    if process.oldest.is_none_or(|(_, age)| age < one.age()) {
        process.oldest = Some((one.end.ends, one.age()));
    }
}

/// Each since when nothing has moved, or it is closed by the other side.
fn since(before: &[Lasting], found: &mut [Lasting]) {
    let key = |end: &SocketSeen| {
        let moves = end.what != SocketSeen::CLOSE_WAIT;
        (end.inode, end.what, if moves { end.acknowledged } else { 0 })
    };
    let before: HashMap<_, _> = before.iter().map(|one| (key(&one.end), one.since)).collect();
    for one in found {
        one.since = before.get(&key(&one.end)).copied().unwrap_or(one.since);
    }
}

#[cfg(test)]
mod tests {
    use stillwatch_common::tcp::Ends;

    use super::*;

    const fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(inode: u64, acknowledged: u32, what: u32) -> SocketSeen {
        SocketSeen { inode, acknowledged, what, pid: 5, ..SocketSeen::default() }
    }

    #[test]
    fn a_window_is_closed_for_as_long_as_nothing_is_acknowledged() {
        let end = |inode, acknowledged| seen(inode, acknowledged, SocketSeen::SENDS);
        let ages = |found: &SocketsSeen| found.connections.iter().map(Lasting::age).collect::<Vec<_>>();
        let first = together(&SocketsSeen::default(), vec![end(7, 100), end(8, 5)], second(10));
        let then = together(&first, vec![end(7, 100), end(8, 6), end(9, 1)], second(13));
        assert_eq!(ages(&then), [second(3), second(0), second(0)]);
        assert_eq!(ages(&together(&then, vec![end(7, 100), end(8, 6)], second(14))), [second(4), second(1)]);
        assert!(SocketWalk::new(None, 1).read(second(1)).unwrap().is_none());
    }

    #[test]
    fn sockets_of_a_process_are_added_up_and_those_that_it_does_not_close_told_by_age() {
        let mut states = [0; 16];
        (states[1], states[8]) = (3, 2);
        let process = SocketSeen { pid: 5, what: SocketSeen::PROCESS, states, ..SocketSeen::default() };
        let left = |inode, acknowledged| seen(inode, acknowledged, SocketSeen::CLOSE_WAIT);
        let first = together(&SocketsSeen::default(), vec![left(7, 1), process], second(10));
        let then = together(&first, vec![left(7, 2), process, left(8, 1), process], second(10) + LASTS);
        let [process] = &then.processes[..] else { panic!("{then:?}") };
        assert_eq!((process.pid, process.states[1], process.states[8]), (5, 6, 4));
        assert_eq!((process.lasting, process.oldest.map(|(_, age)| age)), (1, Some(LASTS)));
        assert!(then.given.is_empty());
        let ends = Ends { netns: 7, local_port: 20_000, remote_port: 20_039, ..Ends::default() };
        let found =
            together(&then, vec![SocketSeen { ends, bytes: 2, what: SocketSeen::PROCESS, ..seen(1, 0, 0) }], LASTS);
        assert_eq!(found.given[&7], GivenPorts { first: 20_000, last: 20_039, time_wait_reuse: 2 });
        // Nobody there has a socket.
        let namespace = SocketSeen { ends, bytes: 2, what: SocketSeen::NAMESPACE, ..SocketSeen::default() };
        let alone = together(&SocketsSeen::default(), vec![namespace], LASTS);
        assert_eq!((alone.given[&7], alone.processes.len(), alone.connections.len()), (found.given[&7], 0, 0));
    }
}
