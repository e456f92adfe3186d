//! The `cpu` probe's part: waits in run queues, and who ran.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use stillwatch_common::{cpu as wire, hist, io::OwnerId};

use super::Span;
use crate::{
    cli::plan,
    sample::{self, HostTimes, ProcessorTimes, Ran, RanKey, Throttling},
    snapshot::{
        Latency, Who,
        cpu::{
            Cpu, Interrupt, InterruptKind, MANY, NOT_MEASURED, Processor, Running, RunningMean, Scheduler, TOO_MANY,
            Throttled, Waited, Waiting, WaitsBy,
        },
        who,
    },
    table::{Known, Why, in_order},
};

pub fn between(prev: &sample::Cpu, next: &sample::Cpu, span: &Span, plan: &plan::Cpu) -> Cpu {
    let counts = next.counts.iter().enumerate().map(|(bucket, &count)| {
        let before = prev.counts.get(bucket).copied().unwrap_or(0);
        (bucket as u32, count.saturating_sub(before))
    });
    let buckets = counts.filter(|&(_, count)| count > 0).collect();
    let run_queue = Latency::new(buckets, next.total_ns.saturating_sub(prev.total_ns), next.max_ns);
    let longest_ns = run_queue.max_ns;
    let waits_known = next.no_waits.is_none();
    Cpu {
        waited: waited(prev, next, longest_ns, span).into(),
        waiting: match next.mean.filter(|mean| !mean.ago.is_zero()) {
            Some(_) => Known::Not(Why::NotLookedAt(TOO_MANY.into())),
            None => unless(next.no_walk, || waiting(next).into()),
        },
        running: unless(next.no_walk, || running(next, waits_known, span).into()),
        running_mean: next
            .mean
            .map(|mean| RunningMean { over_ns: mean.over.as_nanos() as u64, ago_ns: mean.ago.as_nanos() as u64 }),
        by: plan.by.filter(|_| waits_known).map(|_| by(prev, next, longest_ns).into()),
        throttled: match (&prev.quotas, &next.quotas) {
            (Ok(prev), Ok(next)) => throttled(prev, next).into(),
            (Err(why), _) | (_, Err(why)) => Known::Not(Why::Unavailable(why.clone().into())),
        },
        processors: processors(&prev.times, &next.times),
        interrupts: interrupts(prev, next),
        softirqs: softirqs(&prev.times, &next.times),
        scheduler: scheduler(prev, next, run_queue),
    }
}

fn scheduler(prev: &sample::Cpu, next: &sample::Cpu, run_queue: Latency) -> Scheduler {
    let untimed = next.untimed.saturating_sub(prev.untimed);
    Scheduler {
        waits: unless(next.no_waits, || run_queue.count + untimed),
        untimed,
        unsure: next.unsure.saturating_sub(prev.unsure),
        io_ns: prev.io_ns.zip(next.io_ns).map(|(prev, next)| next.saturating_sub(prev)),
        switches: next.switches.saturating_sub(prev.switches),
        involuntary: next.involuntary.saturating_sub(prev.involuntary),
        run_queue: unless(next.no_waits, || run_queue),
    }
}

fn unless<T>(unavailable: Option<&'static str>, value: impl FnOnce() -> T) -> Known<T> {
    unavailable.map_or_else(|| value().into(), Known::unavailable)
}

fn waited(prev: &sample::Cpu, next: &sample::Cpu, longest_ns: u64, span: &Span) -> Vec<Waited> {
    let behind = held(prev, next);
    let interval_ns = span.ns();
    // What lies before this interval was told with the waits that went on.
    let go_on: HashSet<u32> =
        next.waiting.iter().filter(|task| task.waits_ns > interval_ns).map(|task| task.tid).collect();
    let mut earlier: HashMap<OwnerId, u64> = HashMap::new();
    for task in prev.waiting.iter().filter(|task| !go_on.contains(&task.tid)) {
        *earlier.entry(task.owner).or_default() += task.waits_ns;
    }
    let mut rows: Vec<Waited> = next
        .waited
        .iter()
        .filter_map(|(&owner, after)| {
            // A count that fell is one that began anew, after room was made.
            let before = prev.waited.get(&owner).filter(|before| before.waits <= after.waits);
            let waits = after.waits - before.map_or(0, |before| before.waits);
            let total_ns = after.total_ns.saturating_sub(before.map_or(0, |before| before.total_ns));
            let max_ns = match before {
                Some(before) if before.max_ns == after.max_ns => after.max_ns.min(total_ns).min(longest_ns),
                _ => after.max_ns,
            };
            (waits > 0).then(|| Waited {
                who: Who::owner(owner, &after.comm, after.cgroup),
                class: class(after.scheduling),
                waits,
                total_ns,
                lost_ns: total_ns
                    .saturating_sub(earlier.get(&owner).copied().unwrap_or(0))
                    .min(waits.saturating_mul(interval_ns)),
                max_ns,
                cpu: after.cpu,
                behind: behind.get(&owner).map_or(Known::unknown(MANY), |held| most(held, total_ns)),
            })
        })
        .collect();
    in_order(&mut rows);
    rows
}

/// In words, unless it is what tasks have that nobody gave another one.
fn class(scheduling: wire::Scheduling) -> Option<String> {
    let nice = i64::from(scheduling.static_prio) - 120;
    match scheduling.policy as i32 {
        libc::SCHED_FIFO => Some(format!("fifo {}", scheduling.rt_priority)),
        libc::SCHED_RR => Some(format!("rr {}", scheduling.rt_priority)),
        libc::SCHED_DEADLINE => Some("deadline".to_owned()),
        libc::SCHED_IDLE => Some("idle".to_owned()),
        _ if nice != 0 => Some(format!("nice {nice}")),
        libc::SCHED_BATCH => Some("batch".to_owned()),
        _ => None,
    }
}

/// Of those who had the CPU while somebody waited for it: who, and for how long of that.
type HeldBy = Vec<(Option<Who>, u64)>;

fn held(prev: &sample::Cpu, next: &sample::Cpu) -> HashMap<OwnerId, HeldBy> {
    let mut held: HashMap<OwnerId, HeldBy> = HashMap::new();
    for (key, after) in &next.behind {
        let before = prev.behind.get(key).filter(|before| before.total_ns <= after.total_ns);
        let held_ns = after.total_ns - before.map_or(0, |before| before.total_ns);
        if held_ns > 0 {
            let who = (key.holder != 0).then(|| Who::owner(key.holder, &after.comm, 0));
            held.entry(key.waiter).or_default().push((who, held_ns));
        }
    }
    held
}

/// Who had the CPU for half of the time, alone or with others of its name.
fn most(held: &HeldBy, total_ns: u64) -> Known<Option<Who>> {
    let is_most = |ns: u64| ns >= total_ns.div_ceil(2);
    if let Some((who, _)) = held.iter().filter(|(_, ns)| is_most(*ns)).max_by_key(|(_, ns)| *ns) {
        return Known::Value(who.clone());
    }
    let mut names: BTreeMap<&str, u64> = BTreeMap::new();
    for (who, ns) in held {
        if let Some(comm) = who.as_ref().and_then(|who| who.comm.as_deref()) {
            *names.entry(comm).or_default() += ns;
        }
    }
    let comm = names.into_iter().find(|(_, ns)| is_most(*ns)).map(|(comm, _)| comm.to_owned());
    comm.map_or(Known::unknown(MANY), |comm| Some(Who { comm: Some(comm), ..Who::default() }).into())
}

fn waiting(next: &sample::Cpu) -> Vec<Waiting> {
    let row = |task: &sample::WaitsNow| Waiting {
        who: Who { kernel_thread: task.kernel_thread, ..Who::owner(task.owner, &task.comm, 0) },
        class: class(task.scheduling),
        tid: task.tid,
        cpu: task.cpu,
        age_ns: task.waits_ns,
    };
    let mut rows: Vec<Waiting> = next.waiting.iter().map(row).collect();
    in_order(&mut rows);
    rows
}

fn running(next: &sample::Cpu, waits_known: bool, span: &Span) -> Vec<Running> {
    // A mean is shown as what an interval has of it.
    let part = next.mean.map_or(1.0, |mean| span.ns() as f64 / (mean.over.as_nanos() as f64).max(1.0));
    let of_interval = |count: u64| if part == 1.0 { count } else { (count as f64 * part).round() as u64 };
    let row = |(key, ran): (&RanKey, &Ran)| {
        let comm = ran.comm.unwrap_or_default();
        let who = match *key {
            RanKey::Process(owner) => Who { kernel_thread: ran.kernel_thread, ..Who::owner(owner, &comm, ran.cgroup) },
            RanKey::Ended(comm, cgroup) => {
                let cgroup_id = Some(cgroup).filter(|&id| id != 0);
                Who { comm: Some(who::text(&comm)), cgroup_id, ..Who::default() }
            }
        };
        let on = ran.on.iter().map(|(&cpu, &ns)| (cpu, of_interval(ns)));
        let on: BTreeMap<u32, u64> = on.filter(|&(_, ns)| ns > 0).collect();
        let (ran_ns, stayed_ns) = (of_interval(ran.times.ran_ns), on.values().sum());
        Running {
            who,
            class: ran.scheduling.and_then(class),
            ended: of_interval(ran.ended),
            ran_ns,
            moved_ns: ran_ns.saturating_sub(stayed_ns),
            on,
            waited_ns: match waits_known {
                true => of_interval(ran.times.waited_ns).into(),
                false => Known::unavailable(NOT_MEASURED),
            },
            voluntary: of_interval(ran.times.voluntary),
            involuntary: of_interval(ran.times.involuntary),
        }
    };
    let mut rows: Vec<Running> = next.ran.iter().map(row).collect();
    in_order(&mut rows);
    rows
}

/// Waits of each process, from their octaves.
fn by(prev: &sample::Cpu, next: &sample::Cpu, longest_ns: u64) -> Vec<WaitsBy> {
    struct Octaves {
        who: Who,
        buckets: Vec<(u32, u64)>,
        total_ns: u64,
    }
    let mut sums: HashMap<OwnerId, Octaves> = HashMap::new();
    for (key, after) in &next.by {
        let count = |waits: &wire::WaitOctave| waits.counts.iter().map(|&count| u64::from(count)).sum::<u64>();
        let before = prev.by.get(key).filter(|before| count(before) <= count(after)).copied().unwrap_or_default();
        for (sub, (&count, before_it)) in after.counts.iter().zip(before.counts).enumerate() {
            let count = u64::from(count.wrapping_sub(before_it));
            if count > 0 {
                let sum = sums.entry(key.owner).or_insert_with(|| Octaves {
                    who: Who::owner(key.owner, &after.comm, after.cgroup),
                    buckets: Vec::new(),
                    total_ns: 0,
                });
                sum.buckets.push((key.octave as u32 * hist::ROW as u32 + sub as u32, count));
            }
        }
        if let Some(sum) = sums.get_mut(&key.owner) {
            sum.total_ns += after.total_ns.saturating_sub(before.total_ns);
        }
    }
    let row = |mut sum: Octaves| {
        sum.buckets.sort_unstable();
        let latency = Latency::new(sum.buckets, sum.total_ns, longest_ns);
        WaitsBy { who: sum.who, waits: latency.count, latency }
    };
    let mut rows: Vec<WaitsBy> = sums.into_values().map(row).collect();
    in_order(&mut rows);
    rows
}

fn throttled(prev: &BTreeMap<String, Throttling>, next: &BTreeMap<String, Throttling>) -> Vec<Throttled> {
    let row = |(cgroup, after): (&String, &Throttling)| {
        // One that was not read before may have been throttled for days.
        let before = prev.get(cgroup)?;
        let row = Throttled {
            cgroup: cgroup.clone(),
            periods: after.periods.saturating_sub(before.periods),
            throttled: after.throttled.saturating_sub(before.throttled),
            throttled_ns: after.throttled_ns.saturating_sub(before.throttled_ns),
            members: after.members.iter().map(|&pid| Who::living(pid)).collect(),
        };
        (row.throttled > 0 || row.throttled_ns > 0).then_some(row)
    };
    let mut rows: Vec<Throttled> = next.iter().filter_map(row).collect();
    in_order(&mut rows);
    rows
}

fn processors(prev: &HostTimes, next: &HostTimes) -> Vec<Processor> {
    let row = |(&number, after): (&u32, &ProcessorTimes)| {
        let before = prev.processors.get(&number)?;
        Some(Processor {
            number,
            user_ns: after.user.saturating_sub(before.user),
            system_ns: after.system.saturating_sub(before.system),
            idle_ns: after.idle.saturating_sub(before.idle),
            irq_ns: after.irq.saturating_sub(before.irq),
            softirq_ns: after.softirq.saturating_sub(before.softirq),
            steal_ns: after.steal.saturating_sub(before.steal),
        })
    };
    next.processors.iter().filter_map(row).collect()
}

fn softirqs(prev: &HostTimes, next: &HostTimes) -> Vec<(String, u64)> {
    let grown = |(name, &after): (&String, &u64)| {
        let count = after.saturating_sub(prev.softirqs.get(name).copied().unwrap_or(after));
        (count > 0).then(|| (name.to_lowercase(), count))
    };
    let mut rows: Vec<_> = next.softirqs.iter().filter_map(grown).collect();
    rows.sort_by_key(|&(_, count)| Reverse(count));
    rows
}

fn interrupts(prev: &sample::Cpu, next: &sample::Cpu) -> Option<Vec<Interrupt>> {
    let (before, after) = (prev.interrupts.as_ref()?, next.interrupts.as_ref()?);
    let row = |(key, after): (&sample::Interrupt, &wire::Vector)| {
        let before = before.get(key).copied().unwrap_or_default();
        let total_ns = after.total_ns.saturating_sub(before.total_ns);
        let (kind, irq, name) = match *key {
            sample::Interrupt::Soft(name) => (InterruptKind::Softirq, None, Some(name.to_owned())),
            sample::Interrupt::Hard(irq) => (InterruptKind::Irq, Some(irq), next.irq_names.get(&irq).cloned()),
        };
        let max_ns = if after.max_ns > before.max_ns { after.max_ns } else { after.max_ns.min(total_ns) };
        let count = after.count.saturating_sub(before.count);
        (count > 0).then_some(Interrupt { kind, name, irq, count, total_ns, max_ns })
    };
    let mut rows: Vec<Interrupt> = after.iter().filter_map(row).collect();
    in_order(&mut rows);
    Some(rows)
}
