//! From two readings of the `oom` probe to what happened between them.

mod kills;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use stillwatch_common::{
    hist,
    io::{OwnerId, tgid_of},
    oom::{self as wire, Kind, StallOctave},
};

use super::Span;
use crate::{
    cli::plan,
    sample::{self, Moment},
    snapshot::{
        Latency, Who,
        oom::{Inside, Limit, Oom, Reclaim, Signal, Total},
    },
    table::in_order,
};

pub use kills::reconstructed;

pub fn between(before: &sample::Oom, after: &sample::Oom, span: &Span, _: &plan::Oom) -> Oom {
    let taken = span.to;
    let vm = after.vm.iter().filter_map(|(&name, now)| Some((name, now.checked_sub(*before.vm.get(name)?)?)));
    let mut inside: Vec<Inside> = after.inside.iter().map(|inside| self::inside(inside, taken, after)).collect();
    in_order(&mut inside);
    Oom {
        kills: kills(after, taken),
        freed: after.freed.iter().map(|kill| kills::kill(kill, taken.wall_at(kill.kill.at_ns), after)).collect(),
        signals: after.signals.iter().map(|signal| self::signal(signal, taken.wall_at(signal.at_ns))).collect(),
        reclaim: reclaim(before, after, span).into(),
        totals: std::array::from_fn(|kind| Total {
            waits: after.totals[kind].waits - before.totals[kind].waits,
            total_ns: after.totals[kind].total_ns - before.totals[kind].total_ns,
        }),
        inside: inside.into(),
        limits: limits(before, after).into(),
        vm: vm.collect(),
        memory: after.memory,
        log_unavailable: after.log_unavailable.clone(),
        residents_unavailable: after.residents_unavailable.clone(),
        unprotected: after.unprotected.clone(),
    }
}

/// Kills alone, which are shown between two snapshots.
pub fn kills(sample: &sample::Oom, taken: Moment) -> Vec<crate::snapshot::oom::Kill> {
    sample.kills.iter().map(|kill| kills::kill(kill, taken.wall_at(kill.kill.at_ns), sample)).collect()
}

/// Counts of one process and kind, of all octaves.
#[derive(Default)]
struct Sums {
    buckets: Vec<(u32, u64)>,
    total_ns: u64,
    longest_ns: u64,
    waits: StallOctave,
}

fn reclaim(before: &sample::Oom, after: &sample::Oom, span: &Span) -> Vec<Reclaim> {
    // What lies before this interval was told with the waits that went on.
    let wait = |inside: &wire::Inside| (inside.tid, inside.since_ns);
    let go_on: HashSet<_> = after.inside.iter().map(wait).collect();
    let mut earlier: HashMap<(OwnerId, u32), u64> = HashMap::new();
    for inside in before.inside.iter().filter(|inside| !go_on.contains(&wait(inside))) {
        *earlier.entry((inside.owner, inside.kind)).or_default() += span.from.ns().saturating_sub(inside.since_ns);
    }
    let mut sums: HashMap<(OwnerId, u32), Sums> = HashMap::new();
    for (key, now) in &after.stalls {
        // An account that began anew in between counts from zero.
        let all = |waits: &StallOctave| waits.counts.iter().map(|&count| u64::from(count)).sum::<u64>();
        let earlier = before.stalls.get(key).copied().filter(|earlier| all(earlier) <= all(now)).unwrap_or_default();
        if earlier.counts == now.counts {
            continue;
        }
        let sums = sums.entry((key.owner, key.kind)).or_default();
        for (place, (count, earlier)) in now.counts.iter().zip(earlier.counts).enumerate() {
            let count = u64::from(count.wrapping_sub(earlier));
            if count > 0 {
                sums.buckets.push((key.octave * hist::ROW as u32 + place as u32, count));
            }
        }
        sums.total_ns += now.total_ns.saturating_sub(earlier.total_ns);
        sums.longest_ns = sums.longest_ns.max(now.max_ns);
        sums.waits = *now;
    }
    let mut rows: Vec<Reclaim> = sums
        .into_iter()
        .map(|((owner, kind), mut sums)| {
            sums.buckets.sort_unstable();
            let waits = &sums.waits;
            let earlier_ns = earlier.get(&(owner, kind)).copied().unwrap_or(0);
            let latency = Latency::new(sums.buckets, sums.total_ns, sums.longest_ns);
            let most_ns = latency.count.saturating_mul(span.ns());
            Reclaim {
                who: Who { kernel_thread: waits.kernel_thread != 0, ..Who::owner(owner, &waits.comm, waits.cgroup) },
                kind: Kind::of(kind),
                lost_ns: latency.total_ns.saturating_sub(earlier_ns).min(most_ns),
                latency,
            }
        })
        .collect();
    for row in &mut rows {
        leave_alone(&mut row.who, after);
    }
    in_order(&mut rows);
    rows
}

/// When it started is not compared with what `/proc` says now: to ask that of a victim is to hold on to its memory, and to free it
/// in its place.
fn leave_alone(who: &mut Who, sample: &sample::Oom) {
    if who.pid.is_some_and(|pid| sample.victims.contains(&pid)) {
        who.started = None;
    }
}

fn inside(inside: &wire::Inside, taken: Moment, sample: &sample::Oom) -> Inside {
    // Its name, if it has waited before; otherwise it lives, and is looked up.
    let known = sample.stalls.iter().find(|(key, _)| key.owner == inside.owner).map(|(_, waits)| waits);
    let mut who = match known {
        Some(waits) => Who::owner(inside.owner, &waits.comm, waits.cgroup),
        None => Who { started: Some(inside.owner as u32), ..Who::living(tgid_of(inside.owner)) },
    };
    leave_alone(&mut who, sample);
    Inside { who, tid: inside.tid, kind: Kind::of(inside.kind), age: taken.since(inside.since_ns) }
}

fn task(task: &stillwatch_common::oom::Task) -> Who {
    Who { kernel_thread: task.kernel_thread != 0, ..Who::owner(task.owner, &task.comm, task.cgroup) }
}

fn signal(signal: &stillwatch_common::oom::Signal, at: Timestamp) -> Signal {
    Signal { at, sender: task(&signal.sender), target: task(&signal.target), by_oom: false }
}

fn limits(before: &sample::Oom, after: &sample::Oom) -> Vec<Limit> {
    let mut limits: Vec<Limit> = after
        .limits
        .iter()
        .map(|limit| {
            let earlier = before.limits.iter().find(|earlier| earlier.id == limit.id);
            Limit {
                cgroup: None,
                usage_bytes: bytes(limit.usage_pages),
                limit_bytes: Some(bytes(limit.limit_pages)),
                failures: earlier.and_then(|earlier| limit.failures.checked_sub(earlier.failures)),
                id: limit.id,
            }
        })
        .collect();
    in_order(&mut limits);
    limits
}

fn bytes(pages: u64) -> u64 {
    pages.saturating_mul(page_bytes())
}

fn page_bytes() -> u64 {
    // SAFETY: no precondition.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
