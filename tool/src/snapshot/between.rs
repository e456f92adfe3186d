//! From two samples to what happened between them.

mod cpu;
mod io;
pub mod oom;
mod tcp;

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use stillwatch_common::{
    hist,
    syscalls::{Account as RawAccount, Caller, Row as RawRow, Waits, row as row_of},
};

use super::{
    Cost, Latency, Lost, Pressure, Snapshot, Stall, Who,
    syscalls::{Account, InFlight, Row, Syscalls},
};
use crate::{
    cli::plan::{self, Plan},
    sample::{self, Cell, PressureTotals, Sample, StallTotals},
    syscall_names,
};

impl Snapshot {
    /// `kernel_bytes`: what the maps take, which does not change during a run.
    pub fn between(prev: &Sample, next: &Sample, plan: &Plan, kernel_bytes: u64) -> Self {
        let interval = next.clock.saturating_sub(prev.clock);
        Self {
            at: next.at,
            interval,
            cost: cost(prev, next, interval, kernel_bytes),
            pressure: match (&prev.pressure, &next.pressure) {
                (Ok(prev), Ok(next)) => Ok(pressure(prev, next, interval)),
                (Err(why), _) | (_, Err(why)) => Err(why.clone()),
            },
            syscalls: part(&plan.syscalls, &prev.syscalls, &next.syscalls, syscalls),
            io: plan.io.as_ref().and_then(|plan| io::io(prev, next, plan)),
            tcp: plan.tcp.as_ref().and_then(|plan| tcp::tcp(prev, next, plan)),
            oom: plan.oom.as_ref().and_then(|_| oom::oom(prev, next)),
            cpu: part(&plan.cpu, &prev.cpu, &next.cpu, cpu::cpu),
            findings: None,
        }
    }
}

/// What a probe saw, if it runs.
fn part<P, S, T>(plan: &Option<P>, prev: &Option<S>, next: &Option<S>, between: fn(&S, &S, &P) -> T) -> Option<T> {
    Some(between(prev.as_ref()?, next.as_ref()?, plan.as_ref()?))
}

fn percent(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { 100.0 * part.as_secs_f64() / whole.as_secs_f64() }
}

fn cost(prev: &Sample, next: &Sample, interval: Duration, kernel_bytes: u64) -> Cost {
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
            .map(|(before, after)| percent(after.saturating_sub(before), interval)),
        rss_bytes: after.rss_bytes,
        kernel_bytes,
        lost: lost.filter(|lost| lost.count > 0).collect(),
    }
}

fn pressure(prev: &PressureTotals, next: &PressureTotals, interval: Duration) -> Pressure {
    let stall = |prev: StallTotals, next: StallTotals| Stall {
        some: percent(next.some.saturating_sub(prev.some), interval),
        full: percent(next.full.saturating_sub(prev.full), interval),
    };
    Pressure { cpu: stall(prev.cpu, next.cpu), io: stall(prev.io, next.io), memory: stall(prev.memory, next.memory) }
}

fn syscalls(prev: &sample::Syscalls, next: &sample::Syscalls, plan: &plan::Syscalls) -> Syscalls {
    let shown = |nr: u32| plan.only.is_empty() || plan.only.contains(&nr);
    let mut buckets = histograms(&prev.cells, &next.cells);
    let mut rows: Vec<(usize, Row)> = (0..next.rows.len())
        .filter(|&at| shown(at as u32))
        .filter_map(|at| {
            let buckets = buckets.remove(&(at as u16)).unwrap_or_default();
            let before = prev.rows.get(at).copied().unwrap_or_default();
            Some((at, row(at, &before, &next.rows[at], buckets, commonest_error(prev, next, at))?))
        })
        .collect();
    // Most of the time goes to waiting by design, on every host: below what somebody may be delayed by.
    let waits_by_design = |at| !plan.idle && syscall_names::row_waits(at) == Waits::ByDesign;
    rows.sort_by_key(|(at, row)| (waits_by_design(*at), Reverse((row.latency.total_ns, row.calls))));
    let longest: HashMap<usize, u64> = rows.iter().map(|(at, row)| (*at, row.latency.max_ns)).collect();
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    let wanted = |caller: &Caller| shown(caller.nr) && (caller.idle == 0 || plan.idle);
    Syscalls {
        mode: plan.mode,
        total: total(&rows),
        slow: accounts(&prev.slow, &next.slow, wanted, &longest),
        in_flight: next.in_flight.iter().filter(|call| shown(call.nr)).map(in_flight).collect(),
        failing: plan.failing.then(|| accounts(&prev.callers, &next.callers, wanted, &longest)),
        by: plan.by.map(|_| accounts(&prev.callers, &next.callers, wanted, &longest)),
        before_start: next.before_start - prev.before_start,
        rows,
    }
}

/// (bucket, count) of the interval by histogram, ascending.
fn histograms(prev: &[Cell], next: &[Cell]) -> HashMap<u16, Vec<(u32, u64)>> {
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

/// `None` when nothing happened.
fn row(
    at: usize,
    before: &RawRow,
    after: &RawRow,
    buckets: Vec<(u32, u64)>,
    commonest_error: Option<(String, u64)>,
) -> Option<Row> {
    let latency = Latency::new(buckets, after.total_ns - before.total_ns, after.max_ns);
    let grown = |of: fn(&RawRow) -> u32| u64::from(of(after).wrapping_sub(of(before)));
    let unreturned = grown(|row| row.unreturned);
    let untimed = grown(|row| row.untimed) + unreturned;
    let calls = latency.count + untimed;
    (calls > 0).then(|| Row {
        syscall: syscall_names::row_label(at).into(),
        calls,
        errors: grown(|row| row.errors),
        commonest_error,
        interrupted: grown(|row| row.interrupted),
        untimed,
        unreturned,
        latency,
    })
}

fn commonest_error(prev: &sample::Syscalls, next: &sample::Syscalls, at: usize) -> Option<(String, u64)> {
    let of_row = next.errnos.iter().filter(|&(key, _)| (key >> 16) as usize == at);
    let counts = of_row.map(|(key, &count)| (key & 0xffff, count - prev.errnos.get(key).copied().unwrap_or(0)));
    let (errno, count) = counts.filter(|&(_, count)| count > 0).max_by_key(|&(_, count)| count)?;
    Some((syscall_names::errno(errno as i32).into(), count))
}

fn total(rows: &[Row]) -> Row {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
    let commonest = rows.iter().filter_map(|row| row.commonest_error.clone()).max_by_key(|&(_, count)| count);
    Row {
        syscall: "total".into(),
        calls: sum(|row| row.calls),
        errors: sum(|row| row.errors),
        commonest_error: commonest,
        interrupted: sum(|row| row.interrupted),
        untimed: sum(|row| row.untimed),
        unreturned: sum(|row| row.unreturned),
        latency: Latency::merge(rows.iter().map(|row| &row.latency)),
    }
}

fn accounts(
    prev: &HashMap<Caller, RawAccount>,
    next: &HashMap<Caller, RawAccount>,
    wanted: impl Fn(&Caller) -> bool,
    longest: &HashMap<usize, u64>,
) -> Vec<Account> {
    let mut accounts: Vec<Account> = next
        .iter()
        .filter(|(caller, _)| wanted(caller))
        .filter_map(|(caller, after)| {
            // A count that fell is another process with a reused pid.
            let before = prev.get(caller).filter(|before| before.calls <= after.calls).copied().unwrap_or_default();
            let calls = after.calls - before.calls;
            let total_ns = after.total_ns.saturating_sub(before.total_ns);
            (calls > 0).then(|| Account {
                who: Who::recorded(caller.tgid, &after.comm, after.cgroup),
                syscall: Some(syscall_names::label(caller.nr).into()),
                calls,
                errors: after.errors.saturating_sub(before.errors),
                total_ns,
                max_ns: if after.max_ns > before.max_ns {
                    after.max_ns
                } else {
                    // The caller's longest since start was earlier. This interval's is bounded by all of the caller's calls
                    // together, and by the longest that anybody had.
                    let anybody = longest.get(&row_of(caller.nr)).copied().unwrap_or(u64::MAX);
                    after.max_ns.min(total_ns).min(anybody)
                },
            })
        })
        .collect();
    accounts.sort_by_key(|account| Reverse((account.total_ns, account.calls)));
    accounts
}

fn in_flight(call: &sample::InFlight) -> InFlight {
    InFlight {
        who: Who::living(call.tgid),
        tid: call.tid,
        syscall: syscall_names::label(call.nr).into(),
        age_ns: call.age_ns,
    }
}
