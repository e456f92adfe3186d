//! The `cpu` probe's part of a line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{latency::Distribution, line::ns, who::Who};
use crate::{
    sinks::View,
    snapshot::cpu::{self, Processor},
};

const NONE_WAITED: &str = "nothing waited for a processor";
const NO_WAITS: &str = "not measured";

#[derive(Serialize)]
pub struct Cpu<'a> {
    waits: Option<u64>,
    /// In no histogram: when they began is not known.
    untimed: u64,
    /// May have begun earlier, in another run queue.
    unsure: u64,
    run_queue: Option<Distribution<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_queue_unknown: Option<&'a str>,
    switches: u64,
    involuntary_switches: u64,
    waited_over_ns: u64,
    waited: Vec<Waited<'a>>,
    waiting: Option<Vec<Waiting<'a>>>,
    running: Option<Vec<Running<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_unknown: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<By<'a>>>,
    throttled: Option<Vec<Throttled<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled_unknown: Option<&'a str>,
    processors: Vec<Shares>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupts: Option<Vec<Interrupt<'a>>>,
    softirqs: BTreeMap<&'a str, u64>,
}

impl<'a> Cpu<'a> {
    pub fn of(cpu: &'a cpu::Cpu, view: &View) -> Self {
        let run_queue = Distribution::of(&cpu.run_queue).filter(|_| cpu.no_waits.is_none());
        let walked = cpu.no_walk.is_none();
        Self {
            waits: cpu.no_waits.is_none().then_some(cpu.run_queue.count + cpu.untimed),
            untimed: cpu.untimed,
            unsure: cpu.unsure,
            run_queue_unknown: run_queue.is_none().then_some(cpu.no_waits.unwrap_or(NONE_WAITED)),
            run_queue,
            switches: cpu.switches,
            involuntary_switches: cpu.involuntary,
            waited_over_ns: ns(view.slow_waits),
            waited: cpu.waited.iter().map(Waited::of).collect(),
            waiting: walked.then(|| cpu.waiting.iter().map(Waiting::of).collect()),
            running: walked.then(|| cpu.running.iter().map(Running::of).collect()),
            running_unknown: cpu.no_walk,
            by: cpu.by.as_ref().map(|rows| rows.iter().map(By::of).collect()),
            throttled: cpu.throttled.as_ref().ok().map(|rows| rows.iter().map(Throttled::of).collect()),
            throttled_unknown: cpu.throttled.as_ref().err().map(String::as_str),
            processors: cpu.processors.iter().map(Shares::of).collect(),
            interrupts: cpu.interrupts.as_ref().map(|rows| rows.iter().map(Interrupt::of).collect()),
            softirqs: cpu.softirqs.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Waited<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    waits: u64,
    total_ns: u64,
    max_ns: u64,
    cpu: u32,
    /// Who had that processor for longest during the last of these waits; null: nobody, it was idle.
    behind: Option<Who<'a>>,
}

impl<'a> Waited<'a> {
    fn of(row: &'a cpu::Waited) -> Self {
        Self {
            who: Who::of(&row.who),
            waits: row.waits,
            total_ns: row.total_ns,
            max_ns: row.max_ns,
            cpu: row.cpu,
            behind: row.behind.as_ref().map(Who::of),
        }
    }
}

#[derive(Serialize)]
struct Waiting<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    tid: u32,
    cpu: u32,
    age_ns: u64,
}

impl<'a> Waiting<'a> {
    fn of(row: &'a cpu::Waiting) -> Self {
        Self { who: Who::of(&row.who), tid: row.tid, cpu: row.cpu, age_ns: row.age_ns }
    }
}

#[derive(Serialize)]
struct Running<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    ran_ns: u64,
    /// Of tasks that stayed on one processor, by its number.
    on_ns: BTreeMap<u32, u64>,
    /// Of those that did not, or that have ended.
    moved_ns: u64,
    waited_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_unknown: Option<&'static str>,
    voluntary_switches: u64,
    involuntary_switches: u64,
    ended_tasks: u64,
}

impl<'a> Running<'a> {
    fn of(row: &'a cpu::Running) -> Self {
        Self {
            who: Who::of(&row.who),
            ran_ns: row.ran_ns,
            on_ns: row.on.iter().copied().collect(),
            moved_ns: row.moved_ns,
            waited_ns: row.waited_ns,
            waited_unknown: row.waited_ns.is_none().then_some(NO_WAITS),
            voluntary_switches: row.voluntary,
            involuntary_switches: row.involuntary,
            ended_tasks: row.ended,
        }
    }
}

#[derive(Serialize)]
struct By<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    waits: u64,
    #[serde(flatten)]
    times: Option<Distribution<'a>>,
}

impl<'a> By<'a> {
    fn of(row: &'a cpu::By) -> Self {
        Self { who: Who::of(&row.who), waits: row.latency.count, times: Distribution::of(&row.latency) }
    }
}

#[derive(Serialize)]
struct Throttled<'a> {
    cgroup: &'a str,
    periods: u64,
    throttled_periods: u64,
    throttled_ns: u64,
}

impl<'a> Throttled<'a> {
    fn of(row: &'a cpu::Throttled) -> Self {
        Self {
            cgroup: &row.cgroup,
            periods: row.periods,
            throttled_periods: row.throttled,
            throttled_ns: row.throttled_ns,
        }
    }
}

/// As the kernel accounts them, in its ticks.
#[derive(Serialize)]
struct Shares {
    cpu: u32,
    user_ns: u64,
    system_ns: u64,
    irq_ns: u64,
    softirq_ns: u64,
    steal_ns: u64,
    idle_ns: u64,
}

impl Shares {
    fn of(row: &Processor) -> Self {
        let &Processor { number, user_ns, system_ns, idle_ns, irq_ns, softirq_ns, steal_ns } = row;
        Self { cpu: number, user_ns, system_ns, irq_ns, softirq_ns, steal_ns, idle_ns }
    }
}

#[derive(Serialize)]
struct Interrupt<'a> {
    kind: &'static str,
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    irq: Option<u32>,
    count: u64,
    total_ns: u64,
    max_ns: u64,
}

impl<'a> Interrupt<'a> {
    fn of(row: &'a cpu::Interrupt) -> Self {
        Self {
            kind: if row.soft { "softirq" } else { "irq" },
            name: row.name.as_deref(),
            irq: row.irq,
            count: row.count,
            total_ns: row.total_ns,
            max_ns: row.max_ns,
        }
    }
}
