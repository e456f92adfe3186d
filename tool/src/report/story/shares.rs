//! Time by process, of as many processes as can be kept.

use std::collections::BTreeMap;

use crate::snapshot::{Who, ledger::For};

/// More than anybody reads.
const ROWS: usize = 4096;

/// Of some only the name is known.
pub type Key = (Option<u32>, Option<String>);

pub fn key(who: &Who) -> Key {
    (who.pid, who.comm.clone().filter(|_| who.pid.is_none()))
}

pub struct Share {
    pub who: Who,
    pub ns: u64,
    /// What for.
    pub by: BTreeMap<For, u64>,
}

#[derive(Default)]
pub struct Shares {
    rows: BTreeMap<Key, Share>,
    /// Of processes beyond the bound.
    pub others_ns: u64,
}

impl Shares {
    pub fn add(&mut self, who: &Who, what: For, ns: u64) {
        let key = key(who);
        if !self.rows.contains_key(&key) && self.rows.len() >= ROWS {
            self.others_ns += ns;
            return;
        }
        let row = self.rows.entry(key).or_insert_with(|| Share { who: who.clone(), ns: 0, by: BTreeMap::new() });
        row.ns += ns;
        *row.by.entry(what).or_insert(0) += ns;
    }

    /// The most time first.
    pub fn most(&self) -> Vec<&Share> {
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.ns));
        rows
    }

    pub fn total_ns(&self) -> u64 {
        self.rows.values().map(|row| row.ns).sum::<u64>() + self.others_ns
    }
}
