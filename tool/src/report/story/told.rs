//! A finding from its begin to its end.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Key, Shares, key};
use crate::snapshot::{
    Snapshot, Who,
    changes::Change,
    finding::{Finding, Findings, Open, State},
};

/// More than anybody reads.
const TOLD: usize = 1000;
const CULPRITS: usize = 256;

pub struct Told {
    pub since: Timestamp,
    /// `None`: it was going on when the time that is told began.
    pub noticed: Option<Timestamp>,
    /// End of the last interval in which it held.
    pub until: Timestamp,
    pub is_over: bool,
    /// Intervals in which it was told and held.
    pub intervals: u64,
    /// As it was when it did the most harm.
    pub worst: Finding,
    pub worst_at: Timestamp,
    /// What had changed before it.
    pub before_it: Vec<Change>,
    pub lost: Shares,
    /// With the intervals in which they were named.
    culprits: BTreeMap<Key, (Who, u64)>,
}

impl Told {
    /// What an interval has to say of each.
    pub fn follow(all: &mut Vec<Self>, snapshot: &Snapshot, found: &Findings) {
        for open in &found.open {
            if Self::of(all, open).is_none() && all.len() < TOLD {
                all.push(Self::new(open, snapshot.at));
            }
            if let Some(told) = Self::of(all, open) {
                told.hold(open, snapshot.at);
            }
        }
        for open in &found.over {
            if let Some(told) = Self::of(all, open) {
                (told.until, told.is_over) = (end(open), true);
            }
        }
    }

    fn new(open: &Open, at: Timestamp) -> Self {
        Self {
            since: open.since,
            noticed: (open.state == State::Started).then_some(at),
            until: end(open),
            is_over: false,
            intervals: 0,
            worst: open.finding.clone(),
            worst_at: at,
            before_it: Vec::new(),
            lost: Shares::default(),
            culprits: BTreeMap::new(),
        }
    }

    pub fn of<'a>(all: &'a mut [Self], open: &Open) -> Option<&'a mut Self> {
        let found = &open.finding;
        all.iter_mut()
            .rev()
            .find(|it| it.since == open.since && it.worst.rule == found.rule && it.worst.subject == found.subject)
    }

    fn hold(&mut self, open: &Open, at: Timestamp) {
        self.until = end(open);
        self.before_it.clone_from(&open.before_it);
        if !open.now {
            return;
        }
        self.intervals += 1;
        if open.finding.harm > self.worst.harm {
            (self.worst, self.worst_at) = (open.finding.clone(), at);
        }
        for who in &open.finding.culprits {
            if self.culprits.len() < CULPRITS || self.culprits.contains_key(&key(who)) {
                self.culprits.entry(key(who)).or_insert_with(|| (who.clone(), 0)).1 += 1;
            }
        }
    }

    /// Those named most often first, with the intervals.
    pub fn culprits(&self) -> Vec<&(Who, u64)> {
        let mut culprits: Vec<_> = self.culprits.values().collect();
        culprits.sort_by_key(|(_, intervals)| std::cmp::Reverse(*intervals));
        culprits
    }
}

fn end(open: &Open) -> Timestamp {
    let lasted = SignedDuration::try_from(open.lasted).unwrap_or_default();
    open.since.checked_add(lasted).unwrap_or(open.since)
}
