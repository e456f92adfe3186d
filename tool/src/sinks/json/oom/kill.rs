//! One kill as one line.

use serde::Serialize;

use super::{
    super::{
        line::{Event, ns},
        row::Row,
    },
    Limit,
};
use crate::{
    oom_report::{Candidate, Constraint},
    snapshot::{
        Who,
        oom::{self as shown, Held},
    },
};

#[derive(Serialize)]
pub struct KillLine<'a> {
    victim: Victim<'a>,
    trigger: Row<'a, Who>,
    /// `host`, `memcg`, `cpuset`, `memory_policy`.
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope_unknown: Option<&'a str>,
    /// Whose limit was reached.
    cgroup: Option<&'a str>,
    limit_bytes: Option<u64>,
    usage_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Row<'a, Limit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<&'a str>,
    /// Of the victim.
    rss_bytes: Option<u64>,
    /// The allocation that failed: 2^order pages.
    order: Option<u32>,
    gfp: Option<&'a str>,
    /// All processes of this cgroup were killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    /// It was ending anyway.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already_ending: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reconstructed: bool,
    /// After the kill; null: not yet, or not seen.
    reaped_ns: Option<u64>,
    exited_ns: Option<u64>,
    freed_ns: Option<u64>,
    lead_up: Option<LeadUp<'a>>,
    candidates: Vec<Listed<'a>>,
    /// Verbatim.
    kernel_log: Option<Vec<LogLine<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_log_unavailable: Option<&'a str>,
}

#[derive(Serialize)]
struct Victim<'a> {
    #[serde(flatten)]
    who: Row<'a, Who>,
    cmdline: Option<&'a str>,
    uid: Option<u32>,
    oom_score_adj: Option<i32>,
    anon_bytes: Option<u64>,
    file_bytes: Option<u64>,
    shmem_bytes: Option<u64>,
    pgtables_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    total_vm_bytes: Option<u64>,
    /// `kernel_log`, or `counters`, of which each CPU keeps a part back.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_from: Option<&'static str>,
}

impl<'a> Victim<'a> {
    fn of(victim: &'a shown::Victim) -> Self {
        let bytes = |of: fn(&Held) -> u64| victim.memory.as_ref().map(of);
        Self {
            who: Row(&victim.who),
            cmdline: victim.cmdline.as_deref(),
            uid: victim.uid,
            oom_score_adj: victim.oom_score_adj,
            anon_bytes: bytes(|held| held.anon),
            file_bytes: bytes(|held| held.file),
            shmem_bytes: bytes(|held| held.shmem),
            pgtables_bytes: bytes(|held| held.pgtables),
            swap_bytes: victim.memory.and_then(|held| held.swap),
            total_vm_bytes: bytes(|held| held.total_vm),
            memory_from: victim.memory.map(|held| if held.logged { "kernel_log" } else { "counters" }),
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    pid: u32,
    comm: &'a str,
    uid: u32,
    rss_pages: u64,
    swap_pages: u64,
    pgtables_bytes: u64,
    oom_score_adj: i32,
}

impl<'a> Listed<'a> {
    fn of(candidate: &'a Candidate) -> Self {
        Self {
            pid: candidate.pid,
            comm: &candidate.comm,
            uid: candidate.uid,
            rss_pages: candidate.rss_pages,
            swap_pages: candidate.swap_pages,
            pgtables_bytes: candidate.pgtables_bytes,
            oom_score_adj: candidate.oom_score_adj,
        }
    }
}

#[derive(Serialize)]
struct LogLine<'a> {
    sequence: u64,
    /// Since boot, on the log's clock.
    log_ns: u64,
    text: &'a str,
}

#[derive(Serialize)]
struct LeadUp<'a> {
    /// How long before the kill each point is.
    before_ns: Vec<u64>,
    free_bytes: &'a [u64],
    available_bytes: &'a [u64],
    swap_used_bytes: &'a [u64],
    pressure_some_percent: &'a [Option<f32>],
    pressure_full_percent: &'a [Option<f32>],
    stalled_ns_per_second: &'a [u64],
    processes: Vec<Series<'a>>,
    cgroups: Vec<Series<'a>>,
    cut_short: u64,
}

#[derive(Serialize)]
struct Series<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    /// null: not among those that were followed.
    rss_bytes: &'a [Option<u64>],
}

impl<'a> LeadUp<'a> {
    fn of(lead_up: &'a shown::LeadUp) -> Self {
        let series = |all: &'a [shown::Series]| {
            let one = |series: &'a shown::Series| Series {
                pid: series.pid,
                comm: series.comm.as_deref(),
                cgroup: series.cgroup.as_deref(),
                rss_bytes: &series.bytes,
            };
            all.iter().map(one).collect()
        };
        Self {
            before_ns: lead_up.before.iter().copied().map(ns).collect(),
            free_bytes: &lead_up.free,
            available_bytes: &lead_up.available,
            swap_used_bytes: &lead_up.swap_used,
            pressure_some_percent: &lead_up.pressure_some,
            pressure_full_percent: &lead_up.pressure_full,
            stalled_ns_per_second: &lead_up.stalled_ns,
            processes: series(&lead_up.processes),
            cgroups: series(&lead_up.cgroups),
            cut_short: lead_up.cut_short,
        }
    }
}

pub fn kill(kill: &shown::Kill) -> Event<KillLine<'_>> {
    Event::of("oom", "oom_kill", kill.at, KillLine::of(kill))
}

/// The memory of a victim that was shown is free.
pub fn freed(kill: &shown::Kill) -> Event<Freed<'_>> {
    let freed = Freed {
        victim: Row(&kill.victim.who),
        reaped_ns: kill.reaped.map(ns),
        exited_ns: kill.exited.map(ns),
        freed_ns: kill.freed.map(ns),
    };
    Event::of("oom", "oom_freed", kill.at, freed)
}

#[derive(Serialize)]
pub struct Freed<'a> {
    victim: Row<'a, Who>,
    reaped_ns: Option<u64>,
    exited_ns: Option<u64>,
    freed_ns: Option<u64>,
}

impl<'a> KillLine<'a> {
    fn of(kill: &'a shown::Kill) -> Self {
        let scope = kill.scope.as_ref().ok();
        let limit = scope.and_then(|scope| scope.limit.as_ref());
        let report = kill.report.as_ref();
        Self {
            victim: Victim::of(&kill.victim),
            trigger: Row(&kill.trigger),
            scope: scope.map(|scope| match scope.constraint {
                Constraint::None => "host",
                Constraint::Memcg => "memcg",
                Constraint::Cpuset => "cpuset",
                Constraint::MemoryPolicy => "memory_policy",
            }),
            scope_unknown: kill.scope.as_ref().err().map(AsRef::as_ref),
            cgroup: scope.and_then(|scope| scope.cgroup.as_deref()),
            limit_bytes: limit.and_then(|limit| limit.limit_bytes),
            usage_bytes: limit.map(|limit| limit.usage_bytes),
            limit: limit.map(Row),
            nodes: scope.and_then(|scope| scope.nodes.as_deref()),
            rss_bytes: kill.victim.memory.map(|held| held.rss()),
            order: kill.allocation.as_ref().and_then(|allocation| allocation.order),
            gfp: kill.allocation.as_ref().map(|allocation| allocation.gfp.as_str()),
            group: kill.group.as_deref(),
            already_ending: kill.already_ending,
            reconstructed: kill.reconstructed,
            reaped_ns: kill.reaped.map(ns),
            exited_ns: kill.exited.map(ns),
            freed_ns: kill.freed.map(ns),
            lead_up: kill.lead_up.as_deref().map(LeadUp::of),
            candidates: report.map(|report| report.candidates.iter().map(Listed::of).collect()).unwrap_or_default(),
            kernel_log: report.map(|report| {
                let line = |line: &'a crate::oom_report::Line| LogLine {
                    sequence: line.sequence,
                    log_ns: ns(line.at),
                    text: &line.text,
                };
                report.lines.iter().map(line).collect()
            }),
            kernel_log_unavailable: kill.report_unknown.as_deref(),
        }
    }
}
