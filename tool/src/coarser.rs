//! Several intervals as one: what a run with longer intervals would have shown.
//!
//! What happened is added up, distributions are counted together, and how things are is as of the last interval. What is made of other
//! columns is made again of their sums.

mod changes;
mod cpu;
mod disk;
mod findings;
mod io;
mod log;
mod oom;
mod syscalls;
mod tcp;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use jiff::SignedDuration;

use crate::{
    snapshot::{
        Cost, Lost, Pressure, Snapshot, StallPercent,
        tables::{self, EachTable, Of},
    },
    table::{ColumnKind, Columns, Tabular},
};

macro_rules! then {
    ($($probe:ident: $_part:ident),*) => {
        /// Adds the interval after it.
        pub fn then(snapshot: &mut Snapshot, later: Snapshot) {
            let Snapshot { at, interval, cost, pressure, unavailable, $($probe,)* findings } = later;
            let weights = [snapshot.interval, interval];
            snapshot.at = at;
            snapshot.interval += interval;
            self::cost(&mut snapshot.cost, cost, weights);
            snapshot.pressure = match (&snapshot.pressure, pressure) {
                (Ok(earlier), Ok(later)) => Ok(self::pressure(earlier, &later, weights)),
                (Err(why), Ok(_)) => Err(why.clone()),
                (_, Err(why)) => Err(why),
            };
            snapshot.unavailable = unavailable;
            $(both(&mut snapshot.$probe, $probe, $probe::then);)*
            both(&mut snapshot.findings, findings, findings::then);
        }
    };
}

probes!(then);

fn both<T>(part: &mut Option<T>, later: Option<T>, then: fn(&mut T, T)) {
    match (part, later) {
        (Some(part), Some(later)) => then(part, later),
        (Some(_), None) => {}
        (none, later) => *none = later,
    }
}

/// Whether the two are of the same things, and there is nothing between them: otherwise the sum would be of neither.
pub fn can_follow(snapshot: &Snapshot, later: &Snapshot) -> bool {
    let length = SignedDuration::try_from(later.interval).unwrap_or_default();
    let between = later.at.duration_since(snapshot.at) - length;
    between.abs() < length / 2
        && snapshot.cost.level.without == later.cost.level.without
        && measured(snapshot) == measured(later)
}

/// Of each table of what happens, whether there is one.
fn measured(snapshot: &Snapshot) -> Vec<bool> {
    struct Each<'a>(&'a Snapshot, Vec<bool>);

    impl EachTable for Each<'_> {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Infallible> {
            let happens = |kind| matches!(kind, ColumnKind::Counter | ColumnKind::Histogram);
            if T::Row::COLUMNS.iter().any(|column| happens(column.kind)) {
                self.1.push(of(self.0).is_some_and(|table| table.why().is_none()));
            }
            Ok(())
        }
    }

    let mut each = Each(snapshot, Vec::new());
    let Ok(()) = tables::measured(&mut each);
    each.1
}

type Weights = [Duration; 2];

fn mean(earlier: f64, later: f64, weights: Weights) -> f64 {
    let [first, second] = weights.map(|weight| weight.as_secs_f64());
    (earlier * first + later * second) / (first + second).max(f64::MIN_POSITIVE)
}

fn cost(cost: &mut Cost, later: Cost, weights: Weights) {
    let Cost { user_cpu_percent, kernel_cpu_percent, rss_bytes, kernel_bytes, lost, level, level_changed, pid } = later;
    let kernel = cost.kernel_cpu_percent.zip(kernel_cpu_percent);
    *cost = Cost {
        user_cpu_percent: mean(cost.user_cpu_percent, user_cpu_percent, weights),
        kernel_cpu_percent: kernel.map(|(earlier, later)| mean(earlier, later, weights)),
        rss_bytes,
        kernel_bytes,
        lost: together(
            std::mem::take(&mut cost.lost),
            lost,
            |lost| lost.cause,
            |sum: &mut Lost, lost| add(&mut sum.count, lost.count),
        ),
        level,
        level_changed: cost.level_changed | level_changed,
        pid,
    };
}

fn pressure(earlier: &Pressure, later: &Pressure, weights: Weights) -> Pressure {
    let stall = |of: fn(&Pressure) -> StallPercent| StallPercent {
        some: mean(of(earlier).some, of(later).some, weights),
        full: mean(of(earlier).full, of(later).full, weights),
    };
    Pressure { cpu: stall(|it| it.cpu), io: stall(|it| it.io), memory: stall(|it| it.memory) }
}

/// What no table has: those that are the same are added up.
fn together<T, K: PartialEq>(mut all: Vec<T>, later: Vec<T>, key: impl Fn(&T) -> K, add: impl Fn(&mut T, T)) -> Vec<T> {
    for one in later {
        match all.iter_mut().find(|earlier| key(earlier) == key(&one)) {
            Some(earlier) => add(earlier, one),
            None => all.push(one),
        }
    }
    all
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// Counts by name.
fn counts<K: Ord>(counts: &mut BTreeMap<K, u64>, later: BTreeMap<K, u64>) {
    for (name, count) in later {
        add(counts.entry(name).or_default(), count);
    }
}

/// Counts by number.
fn each<const N: usize>(counts: &mut [u64; N], later: [u64; N]) {
    counts.iter_mut().zip(later).for_each(|(count, later)| add(count, later));
}
