//! What was looked at and is fine, what was not measured, what was lost, and what that cost.

use std::{collections::BTreeMap, time::Duration};

use crate::snapshot::{
    Cost, Snapshot,
    finding::{Findings, RuledOut},
};

/// Different words for why something was not measured.
const WORDS: usize = 100;

#[derive(Default)]
pub struct Looked {
    pub intervals: u64,
    pub length: Duration,
    pub areas: BTreeMap<&'static str, Area>,
    /// With the intervals in which they were not.
    pub not_measured: BTreeMap<String, u64>,
    pub unavailable: BTreeMap<(&'static str, String), u64>,
    pub lost: BTreeMap<&'static str, u64>,
    /// Time of our own, on all CPUs, in seconds.
    cpu: f64,
    pub most_cpu_percent: f64,
    /// Intervals of which the part inside the kernel is not known.
    pub kernel_unknown: u64,
    pub most_rss_bytes: u64,
    pub most_kernel_bytes: u64,
    pub budget_percent: f64,
}

/// Intervals in which it was ruled out, and in which it was not clear, with the figures of the last of them.
#[derive(Default)]
pub struct Area {
    pub fine: u64,
    pub because: String,
    pub unclear: u64,
    pub against: String,
}

impl Looked {
    pub fn add(&mut self, snapshot: &Snapshot, found: &Findings) {
        self.intervals += 1;
        self.length += snapshot.interval;
        for RuledOut { area, because } in &found.ruled_out {
            let area = self.areas.entry(area).or_default();
            (area.fine, area.because) = (area.fine + 1, because.clone());
        }
        for RuledOut { area, because } in &found.unclear {
            let area = self.areas.entry(area).or_default();
            (area.unclear, area.against) = (area.unclear + 1, because.clone());
        }
        for what in &found.not_measured {
            count(&mut self.not_measured, what.clone());
        }
        for probe in &snapshot.unavailable {
            count(&mut self.unavailable, (probe.probe, probe.why.clone()));
        }
        self.cost(&snapshot.cost, snapshot.interval);
    }

    fn cost(&mut self, cost: &Cost, interval: Duration) {
        for lost in &cost.lost {
            *self.lost.entry(lost.cause).or_insert(0) += lost.count;
        }
        self.cpu += cost.cpu_percent() / 100.0 * interval.as_secs_f64();
        self.most_cpu_percent = self.most_cpu_percent.max(cost.cpu_percent());
        self.kernel_unknown += u64::from(cost.kernel_cpu_percent.is_none());
        self.most_rss_bytes = self.most_rss_bytes.max(cost.rss_bytes);
        self.most_kernel_bytes = self.most_kernel_bytes.max(cost.kernel_bytes);
        self.budget_percent = cost.level.budget_percent;
    }

    /// On average.
    pub fn cpu_percent(&self) -> f64 {
        100.0 * self.cpu / self.length.as_secs_f64().max(1e-3)
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    if counts.len() < WORDS || counts.contains_key(&key) {
        *counts.entry(key).or_insert(0) += 1;
    }
}
