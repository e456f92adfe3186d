//! Out of memory, as JSON.

mod kill;

use std::collections::BTreeMap;

use serde::Serialize;

pub use kill::{freed, kill};

use super::{
    latency::histogram,
    line::{Event, ns},
    who::Who,
};
use crate::snapshot::{
    Latency,
    oom::{self as shown, Kind},
};

#[derive(Serialize)]
pub struct Oom<'a> {
    memory: Memory,
    reclaim: Vec<Reclaim<'a>>,
    in_reclaim: Vec<Inside<'a>>,
    /// Waits of everybody, by kind.
    totals: BTreeMap<&'static str, Total>,
    limits: Vec<Limit<'a>>,
    /// The kernel's own counters, in this interval.
    vm: &'a BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_log_unavailable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_unavailable: Option<&'a str>,
    /// What could not be done for the tool to survive.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unprotected: &'a [String],
}

#[derive(Serialize)]
struct Memory {
    total_bytes: u64,
    free_bytes: u64,
    available_bytes: u64,
    swap_total_bytes: u64,
    swap_free_bytes: u64,
}

#[derive(Serialize)]
struct Reclaim<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kernel_thread: bool,
    kind: &'static str,
    count: u64,
    total_ns: u64,
    p50_ns: u64,
    p99_ns: u64,
    max_ns: u64,
    #[serde(serialize_with = "histogram")]
    histogram: &'a Latency,
}

#[derive(Serialize)]
struct Inside<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    tid: u32,
    kind: &'static str,
    age_ns: u64,
}

#[derive(Serialize)]
struct Total {
    count: u64,
    total_ns: u64,
}

#[derive(Serialize)]
pub struct Limit<'a> {
    cgroup: Option<&'a str>,
    usage_bytes: u64,
    limit_bytes: Option<u64>,
    /// How often an allocation ran into it.
    failures: Option<u64>,
}

impl<'a> Limit<'a> {
    fn of(limit: &'a shown::Limit) -> Self {
        Self {
            cgroup: limit.cgroup.as_deref(),
            usage_bytes: limit.usage_bytes,
            limit_bytes: limit.limit_bytes,
            failures: limit.failures,
        }
    }
}

impl<'a> Oom<'a> {
    pub fn of(oom: &'a shown::Oom) -> Self {
        let memory = &oom.memory;
        let totals = Kind::ALL.into_iter().zip(&oom.totals).filter(|(_, total)| total.waits > 0);
        Self {
            memory: Memory {
                total_bytes: memory.total,
                free_bytes: memory.free,
                available_bytes: memory.available,
                swap_total_bytes: memory.swap_total,
                swap_free_bytes: memory.swap_free,
            },
            reclaim: oom.reclaim.iter().map(Reclaim::of).collect(),
            in_reclaim: oom
                .inside
                .iter()
                .map(|task| Inside {
                    who: Who::of(&task.who),
                    tid: task.tid,
                    kind: name(task.kind),
                    age_ns: ns(task.age),
                })
                .collect(),
            totals: totals
                .map(|(kind, total)| (name(kind), Total { count: total.waits, total_ns: total.total_ns }))
                .collect(),
            limits: oom.limits.iter().map(Limit::of).collect(),
            vm: &oom.vm,
            kernel_log_unavailable: oom.log_unavailable.as_deref(),
            resident_unavailable: oom.residents_unavailable.as_deref(),
            unprotected: &oom.unprotected,
        }
    }
}

impl<'a> Reclaim<'a> {
    fn of(row: &'a shown::Reclaim) -> Self {
        let latency = &row.latency;
        Self {
            who: Who::of(&row.who),
            kernel_thread: row.who.kernel_thread,
            kind: name(row.kind),
            count: latency.count,
            total_ns: latency.total_ns,
            p50_ns: latency.p50_ns,
            p99_ns: latency.p99_ns,
            max_ns: latency.max_ns,
            histogram: latency,
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Direct => "direct_reclaim",
        Kind::Memcg => "memcg_reclaim",
        Kind::Compaction => "compaction",
        Kind::Sleep => "memory_stall",
    }
}

/// SIGKILL that a process sent.
#[derive(Serialize)]
pub struct Signal<'a> {
    sender: Who<'a>,
    target: Who<'a>,
    /// Sent by the kernel, for want of memory.
    oom: bool,
}

impl<'a> Signal<'a> {
    pub fn event(signal: &'a shown::Signal) -> Event<Self> {
        let what = Self { sender: Who::of(&signal.sender), target: Who::of(&signal.target), oom: signal.by_oom };
        Event::of("oom", "sigkill", signal.at, what)
    }
}
