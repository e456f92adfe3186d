//! Intervals of a recording, several as one.

use std::{collections::VecDeque, time::Duration};

use crate::{
    coarser::{can_follow, then},
    record::Entry,
    snapshot::Snapshot,
};

/// Entries whose intervals are as near to the one that was asked for as they come. What stands between two of them stays there.
pub struct Longer<I> {
    entries: I,
    interval: Duration,
    sum: Option<Box<Snapshot>>,
    ready: VecDeque<Entry>,
}

impl<I> Longer<I> {
    pub fn new(entries: I, interval: Duration) -> Self {
        Self { entries, interval, sum: None, ready: VecDeque::new() }
    }

    fn add(&mut self, later: Box<Snapshot>) {
        let last = later.interval;
        match &mut self.sum {
            Some(sum) if can_follow(sum, &later) => then(sum, *later),
            sum => self.ready.extend(sum.replace(later).map(Entry::Snapshot)),
        }
        if self.sum.as_ref().is_some_and(|sum| sum.interval + last / 2 >= self.interval) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.ready.extend(self.sum.take().map(Entry::Snapshot));
    }
}

impl<I: Iterator<Item = Entry>> Iterator for Longer<I> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(entry);
            }
            match self.entries.next() {
                Some(Entry::Snapshot(snapshot)) => self.add(snapshot),
                Some(gap @ Entry::Dropped(_)) => {
                    self.end();
                    self.ready.push_back(gap);
                }
                Some(between) => return Some(between),
                None => {
                    self.end();
                    return self.ready.pop_front();
                }
            }
        }
    }
}
