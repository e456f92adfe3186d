//! Connections whose window is closed: one side has something to send, and the other does not read.
//!
//! No hook tells of them, so all descriptors are walked over in the kernel, some 0.3 µs each: at a tick, and on a large host rarer the longer it takes. What one walk found stands until the next.

use std::{collections::HashMap, io, time::Duration};

use stillwatch_common::tcp::ClosedWindow;

use crate::{
    kernel::{pace::Pace, walk::Walk},
    probes::living_tasks,
    sample::Closed,
};

pub struct Windows {
    /// `None`: the kernel refused the iterator.
    walk: Option<Walk>,
    found: Vec<Closed>,
    pace: Pace,
}

impl Windows {
    pub fn new(walk: Option<Walk>, rest: u32) -> Self {
        Self { walk, found: Vec::new(), pace: Pace::new(rest) }
    }

    /// `None`: there is no iterator.
    pub fn read(&mut self, now: Duration) -> io::Result<Option<Vec<Closed>>> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        if self.pace.is_due(now, living_tasks()) {
            let mut found = Vec::new();
            // SAFETY: plain integers.
            self.pace.walk(now, || unsafe { walk.records(|&end: &ClosedWindow| found.push(end)) })?;
            self.found = since(&self.found, found, now);
        }
        Ok(Some(self.found.clone()))
    }
}

/// Each since when nothing has moved.
fn since(before: &[Closed], found: Vec<ClosedWindow>, now: Duration) -> Vec<Closed> {
    let key = |end: &ClosedWindow| (end.inode, end.reads, end.acknowledged);
    let before: HashMap<_, _> = before.iter().map(|closed| (key(&closed.end), closed.since)).collect();
    let since = |end: &ClosedWindow| before.get(&key(end)).copied().unwrap_or(now);
    found.into_iter().map(|end| Closed { since: since(&end), seen: now, end }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_closed_for_as_long_as_nothing_is_acknowledged() {
        let second = Duration::from_secs;
        let end = |inode, acknowledged| ClosedWindow { inode, acknowledged, ..ClosedWindow::default() };
        let ages = |closed: &[Closed]| closed.iter().map(|row| row.seen - row.since).collect::<Vec<_>>();
        let first = since(&[], vec![end(7, 100), end(8, 5)], second(10));
        let then = since(&first, vec![end(7, 100), end(8, 6), end(9, 1)], second(13));
        assert_eq!(ages(&then), [second(3), second(0), second(0)]);
        assert_eq!(ages(&since(&then, vec![end(7, 100), end(8, 6)], second(14))), [second(4), second(1)]);
        assert!(Windows::new(None, 1).read(second(1)).unwrap().is_none());
    }
}
