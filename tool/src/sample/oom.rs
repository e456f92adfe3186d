//! What the `oom` probe found.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use stillwatch_common::oom;

use crate::{
    lead_up::{LeadUp, Memory},
    oom_report::Report,
};

/// The maps of the `oom` probe, added up over CPUs, and what the kernel says of memory elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Oom {
    /// Kills whose story is told now, in order.
    pub kills: Vec<OomKill>,
    /// Kills that were told before their memory was free, which it is now.
    pub freed: Vec<OomKill>,
    /// Processes whose memory is about to become free: to be left alone.
    pub victims: Vec<u32>,
    /// SIGKILLs that were sent since the last sample.
    pub signals: Vec<oom::Signal>,
    /// By [`oom::Kind`].
    pub totals: [oom::Total; oom::Kind::ALL.len()],
    pub stalls: HashMap<oom::Stall, oom::StallOctave>,
    /// Tasks that wait now.
    pub inside: Vec<oom::Inside>,
    /// Some of the kernel's own counters, since boot (`/proc/vmstat`).
    pub vm: BTreeMap<&'static str, u64>,
    pub memory: Memory,
    /// Cgroups with a limit, of the processes that hold most memory.
    pub limits: Vec<Limit>,
    /// Why there is nothing from the kernel's log.
    pub log_unavailable: Option<String>,
    /// Why it is not known what memory processes hold.
    pub residents_unavailable: Option<String>,
    /// Whether the tool can survive what it watches: what could not be done for it.
    pub unprotected: Rc<[String]>,
}

/// A kill, with what was found out about it until now.
#[derive(Clone, Debug, Default)]
pub struct OomKill {
    pub kill: oom::Kill,
    /// By [`oom::Step`]: when.
    pub steps: [Option<u64>; 3],
    /// The victim's, where it was known before.
    pub cmdline: Option<String>,
    pub report: Option<Rc<Report>>,
    pub lead_up: Option<Rc<LeadUp>>,
}

/// A cgroup with a limit.
#[derive(Clone, Debug)]
pub struct Limit {
    pub id: u64,
    pub usage_pages: u64,
    pub limit_pages: u64,
    /// How often an allocation ran into it, since it was made.
    pub failures: u64,
}
