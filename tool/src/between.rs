//! From two samples to what happened between them.

mod changes;
mod cpu;
mod disk;
mod io;
mod log;
pub mod oom;
mod syscalls;
pub mod tcp;

use std::{collections::HashMap, time::Duration};

use stillwatch_common::hist;

use crate::{
    cli::plan::Plan,
    missing::{Lost, Unavailable},
    sample::{Moment, Octave, PressureTotals, Sample, StallTotals},
    snapshot::{Cost, Pressure, Snapshot, StallPercent},
};

/// The moments of two samples.
pub struct Span {
    pub from: Moment,
    pub to: Moment,
}

impl Span {
    fn ns(&self) -> u64 {
        self.to.ns().saturating_sub(self.from.ns())
    }
}

macro_rules! between {
    ($($probe:ident: $_part:ident),*) => {
        impl Snapshot {
            pub fn between(prev: &Sample, next: &Sample, plan: &Plan) -> Self {
                let span = Span { from: prev.taken, to: next.taken };
                let interval = span.to.clock.saturating_sub(span.from.clock);
                let pressure = match (&prev.pressure, &next.pressure) {
                    (Ok(prev), Ok(next)) => Ok(pressure(prev, next, interval)),
                    (Err(why), _) | (_, Err(why)) => Err(why.clone()),
                };
                Self {
                    cost: cost(prev, next, interval),
                    unavailable: unavailable(prev, next),
                    $($probe: match (&prev.$probe, &next.$probe, &plan.$probe) {
                        (Some(prev), Some(next), Some(plan)) => Some($probe::between(prev, next, &span, plan)),
                        _ => None,
                    },)*
                    ..Self::new(span.to.wall, interval, pressure)
                }
            }
        }
    };
}

probes!(between);

/// There is no difference if one of the two samples lacks a probe.
fn unavailable(prev: &Sample, next: &Sample) -> Vec<Unavailable> {
    let is_back = |one: &&Unavailable| next.unavailable.iter().all(|other| other.probe != one.probe);
    let back = prev.unavailable.iter().filter(|one| is_back(one) && !prev.has(one.probe));
    let back =
        back.map(|one| Unavailable { why: "it could not be read when this interval began".into(), ..one.clone() });
    next.unavailable.iter().cloned().chain(back).collect()
}

fn percent(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { 100.0 * part.as_secs_f64() / whole.as_secs_f64() }
}

fn cost(prev: &Sample, next: &Sample, interval: Duration) -> Cost {
    let (before, after) = (&prev.usage, &next.usage);
    let lost = next.lost.iter().map(|&Lost { cause, count }| {
        let earlier = prev.lost.iter().find(|lost| lost.cause == cause).map_or(0, |lost| lost.count);
        Lost { cause, count: count.saturating_sub(earlier) }
    });
    Cost {
        user_cpu_percent: percent(after.process.saturating_sub(before.process), interval),
        kernel_cpu_percent: before
            .programs
            .zip(after.programs)
            .filter(|_| after.are_measured)
            .map(|(before, after)| percent(after.saturating_sub(before), interval)),
        rss_bytes: after.rss_bytes,
        kernel_bytes: after.kernel_bytes,
        lost: lost.filter(|lost| lost.count > 0).collect(),
        level: next.level.clone(),
        level_changed: next.level.without != prev.level.without,
        pid: after.pid,
    }
}

fn pressure(prev: &PressureTotals, next: &PressureTotals, interval: Duration) -> Pressure {
    let stall = |prev: StallTotals, next: StallTotals| StallPercent {
        some: percent(next.some.saturating_sub(prev.some), interval),
        full: percent(next.full.saturating_sub(prev.full), interval),
    };
    Pressure { cpu: stall(prev.cpu, next.cpu), io: stall(prev.io, next.io), memory: stall(prev.memory, next.memory) }
}

/// (bucket, count) of the interval by histogram, ascending.
fn histograms(prev: &[Octave], next: &[Octave]) -> HashMap<u16, Vec<(u32, u64)>> {
    let mut histograms: HashMap<u16, Vec<(u32, u64)>> = HashMap::new();
    for (at, cell) in next.iter().enumerate() {
        let Some((histogram, octave)) = cell.of else { continue };
        let before = prev.get(at).map_or([0; hist::ROW], |cell| cell.counts);
        for (sub, (&count, before)) in cell.counts.iter().zip(before).enumerate() {
            // Both wrap at 32 bits; their difference does not until a bucket grows by four thousand million in one interval.
            let count = count.wrapping_sub(before);
            if count > 0 {
                let bucket = u32::from(octave) * hist::ROW as u32 + sub as u32;
                histograms.entry(histogram).or_default().push((bucket, count.into()));
            }
        }
    }
    for buckets in histograms.values_mut() {
        buckets.sort_unstable();
    }
    histograms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Usage;

    #[test]
    fn what_programs_cost_is_said_of_an_interval_whose_runs_have_been_measured() {
        let ms = Duration::from_millis;
        let sample = |programs, are_measured| {
            let usage = Usage { programs, are_measured, ..Usage::default() };
            Sample { usage, ..Sample::new(Moment::default(), Err(String::new())) }
        };
        let percent = |before, after| cost(&before, &after, ms(1000)).kernel_cpu_percent;
        assert_eq!(percent(sample(Some(ms(10)), false), sample(Some(ms(30)), true)), Some(2.0));
        assert_eq!(percent(sample(Some(ms(10)), true), sample(Some(ms(30)), false)), None);
        assert_eq!(percent(sample(None, true), sample(Some(ms(30)), true)), None);
        assert_eq!(percent(sample(Some(ms(10)), true), sample(None, true)), None);
    }
}
