//! What pictures are made of: what was measured over some time.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{Key, begin, key};
use crate::{
    findings::LostTime,
    snapshot::{Latency, Pressure, Snapshot, StallPercent},
};

/// As many as a picture has room for; of more, two neighbours become one.
const MOST: usize = 360;
/// Processes whose time is kept apart.
const PROCESSES: usize = 32;
/// Clocks are set, and ticks are not exact.
const TOLERANCE: SignedDuration = SignedDuration::from_millis(250);

/// Of one interval, or of several without a gap between them.
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
    /// None where there is none; each with the time that it was measured for.
    pub pressure: Option<(Pressure, Duration)>,
    pub retransmitted: Option<(u64, Duration)>,
    /// Of whole disks, and of calls: as long as they took.
    pub disks: BTreeMap<String, Latency>,
    pub calls: BTreeMap<String, Latency>,
    pub memory: Option<Memories>,
    /// The processes that lost most.
    pub lost: BTreeMap<Key, u64>,
    pub lost_ns: u64,
    measured: Duration,
}

/// The least that was left.
#[derive(Clone, Copy)]
pub struct Memories {
    pub available: u64,
    pub swap_free: u64,
    pub has_swap: bool,
}

impl Stretch {
    pub fn new(snapshot: &Snapshot) -> Self {
        let disks = snapshot.io.iter().flat_map(|io| io.disks()).map(|disk| (disk.name, disk.total));
        let calls = snapshot.syscalls.iter().flat_map(|syscalls| &syscalls.rows);
        let calls = calls.filter_map(|row| Some((row.syscall.clone(), row.latency.value()?.clone())));
        let some = |(_, times): &(String, Latency)| times.count > 0;
        Self {
            from: begin(snapshot),
            to: snapshot.at,
            pressure: snapshot.pressure.as_ref().ok().map(|pressure| (*pressure, snapshot.interval)),
            retransmitted: snapshot.tcp.as_ref().map(|tcp| (tcp.totals.segments, snapshot.interval)),
            disks: disks.filter(some).collect(),
            calls: calls.filter(some).collect(),
            memory: snapshot.oom.as_ref().map(|oom| oom.memory).filter(|memory| memory.total > 0).map(|memory| {
                Memories { available: memory.available, swap_free: memory.swap_free, has_swap: memory.swap_total > 0 }
            }),
            lost: BTreeMap::new(),
            lost_ns: 0,
            measured: snapshot.interval,
        }
    }

    pub fn add(&mut self, lost: &[LostTime]) {
        for one in lost {
            self.lost_ns += one.ns;
            *self.lost.entry(key(&one.who)).or_insert(0) += one.ns;
        }
        self.cut();
    }

    fn cut(&mut self) {
        let mut times: Vec<u64> = self.lost.values().copied().collect();
        times.sort_unstable_by_key(|&ns| std::cmp::Reverse(ns));
        if let Some(&least) = times.get(PROCESSES) {
            self.lost.retain(|_, ns| *ns > least);
        }
    }

    pub fn is_gap_before(&self, later: &Self) -> bool {
        later.from.duration_since(self.to) > TOLERANCE
    }

    /// Seconds.
    pub fn measured(&self) -> f64 {
        seconds(self.measured)
    }

    fn join(&mut self, later: Self) {
        self.to = later.to;
        self.measured += later.measured;
        self.pressure = both(self.pressure, later.pressure, |a, b| (mean(a, b), a.1 + b.1));
        self.retransmitted = both(self.retransmitted, later.retransmitted, |a, b| (a.0 + b.0, a.1 + b.1));
        self.memory = both(self.memory, later.memory, |a, b| Memories {
            available: a.available.min(b.available),
            swap_free: a.swap_free.min(b.swap_free),
            has_swap: a.has_swap || b.has_swap,
        });
        for (all, later) in [(&mut self.disks, later.disks), (&mut self.calls, later.calls)] {
            for (name, times) in later {
                let known = all.entry(name).or_default();
                *known = Latency::merge([&*known, &times]);
            }
        }
        for (who, ns) in later.lost {
            *self.lost.entry(who).or_insert(0) += ns;
        }
        self.lost_ns += later.lost_ns;
        self.cut();
    }
}

pub fn push(all: &mut Vec<Stretch>, next: Stretch) {
    all.push(next);
    if all.len() <= MOST {
        return;
    }
    let mut halved: Vec<Stretch> = Vec::with_capacity(all.len());
    let mut joined = true;
    for stretch in all.drain(..) {
        match halved.last_mut() {
            Some(last) if !joined && !last.is_gap_before(&stretch) => {
                last.join(stretch);
                joined = true;
            }
            _ => {
                halved.push(stretch);
                joined = false;
            }
        }
    }
    *all = halved;
}

fn both<T>(a: Option<T>, b: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (a, b) => a.or(b),
    }
}

fn mean(a: (Pressure, Duration), b: (Pressure, Duration)) -> Pressure {
    let of = |x: f64, y: f64| (x * seconds(a.1) + y * seconds(b.1)) / seconds(a.1 + b.1);
    let stall = |x: StallPercent, y: StallPercent| StallPercent { some: of(x.some, y.some), full: of(x.full, y.full) };
    Pressure { cpu: stall(a.0.cpu, b.0.cpu), io: stall(a.0.io, b.0.io), memory: stall(a.0.memory, b.0.memory) }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64().max(1e-3)
}
