//! What rules look at.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use super::waits::{self, Asynchronous, Wait, WholeDisk};
use crate::snapshot::{Snapshot, Who, io::Io, oom::Kill, syscalls::InFlight};

/// One interval, and what is kept of those before it. What several rules look at is made once: a host may have hundreds of disks, and
/// as many tasks that wait for one.
pub struct Scene<'a> {
    pub now: &'a Snapshot,
    /// Kills of the last minutes, the oldest first.
    pub kills: &'a VecDeque<Kill>,
    pub disks: Vec<WholeDisk>,
    /// Of processes, those that are long enough to be a delay.
    pub waits: Vec<Wait<'a>>,
    pub asynchronous: Vec<Asynchronous<'a>>,
    /// Calls that wait for a server of files and are no stall: a signal could end them.
    pub served: Vec<&'a InFlight>,
}

impl<'a> Scene<'a> {
    pub fn new(now: &'a Snapshot, kills: &'a VecDeque<Kill>) -> Self {
        let disks = now.io.as_ref().map(Io::disks).unwrap_or_default();
        let mut scene = Self { now, kills, disks, waits: Vec::new(), asynchronous: Vec::new(), served: Vec::new() };
        scene.waits = waits::all(&scene);
        scene.asynchronous = waits::asynchronous(&scene);
        scene.served = waits::served(&scene);
        scene
    }
}

impl Scene<'_> {
    /// Whether it is stillwatch itself.
    pub fn is_ours(&self, who: &Who) -> bool {
        who.pid.is_some() && who.pid == self.now.cost.pid
    }

    fn seconds(&self) -> f64 {
        self.now.interval.as_secs_f64().max(1e-3)
    }

    /// Seconds per second.
    pub fn share(&self, ns: u64) -> f64 {
        ns as f64 / 1e9 / self.seconds()
    }

    pub fn rate(&self, count: u64) -> f64 {
        count as f64 / self.seconds()
    }

    /// Nanoseconds per second.
    pub fn ns_rate(&self, ns: u64) -> u64 {
        (ns as f64 / self.seconds()) as u64
    }

    pub fn interval_ns(&self) -> u64 {
        self.now.interval.as_nanos() as u64
    }

    /// How long ago.
    pub fn since(&self, at: Timestamp) -> Duration {
        self.now.at.duration_since(at).try_into().unwrap_or_default()
    }

    /// An area of which nothing is known without a probe, and why that is not there.
    pub fn lacks(&self, probe: &str, area: &str) -> String {
        match self.now.unavailable(probe) {
            Some(why) => format!("{area} ({probe} is unavailable: {why})"),
            None => area.to_owned(),
        }
    }

    /// What was lost lowers the confidence in everything that was counted.
    pub fn losses(&self) -> Option<String> {
        let cost = &self.now.cost;
        let worst = cost.lost.iter().max_by_key(|lost| lost.count)?;
        Some(format!("{} events were lost ({})", cost.lost(), worst.cause))
    }
}
