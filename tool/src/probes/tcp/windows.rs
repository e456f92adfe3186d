//! Connections whose window is closed: one side has something to send, and the other does not read.
//!
//! No hook tells of them, so all descriptors are walked over in the kernel, some 0.3 µs each: at a tick, and never for more than a
//! two-hundredth of the time. What one walk found stands until the next.

use std::{collections::HashMap, io, time::Duration};

use stillwatch_common::tcp::ClosedWindow;

use crate::{
    kernel::{cost::Stopwatch, walk::Walk},
    sample::Closed,
};

/// After a walk, this many times as long without one.
const REST: u32 = 200;

pub struct Windows {
    /// `None`: the kernel refused the iterator.
    walk: Option<Walk>,
    found: Vec<Closed>,
    /// When the last walk began, on the programs' clock, and how long it took.
    last: Option<(Duration, Duration)>,
}

impl Windows {
    pub fn new(walk: Option<Walk>) -> Self {
        Self { walk, found: Vec::new(), last: None }
    }

    /// `None`: there is no iterator.
    pub fn read(&mut self, now: Duration) -> io::Result<Option<Vec<Closed>>> {
        let Some(walk) = &mut self.walk else { return Ok(None) };
        if self.last.is_none_or(|(at, took)| now >= at + took * REST) {
            let watch = Stopwatch::start();
            let mut found = Vec::new();
            // SAFETY: plain integers.
            unsafe { walk.records(|&end: &ClosedWindow| found.push(end))? };
            self.found = since(&self.found, found, now);
            self.last = Some((now, watch.elapsed()));
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
        assert!(Windows::new(None).read(second(1)).unwrap().is_none());
    }
}
