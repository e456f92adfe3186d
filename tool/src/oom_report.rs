//! What the kernel writes into its log when it kills for want of memory, line by line.
//!
//! Nothing is read here: lines come in, reports come out. Names of processes and cgroups are whatever a user made them, commas
//! and brackets included, so each line is taken apart from its fixed words, and from its end.

mod collect;
mod lines;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use collect::Collector;

/// One record of the kernel's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub sequence: u64,
    /// Since boot, on the log's own clock, which may be off the monotonic one by seconds after a long time.
    pub at: Duration,
    pub text: String,
}

/// All that the kernel had to say about one decision to kill.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Verbatim, those of the reaper included. Other messages may lie in between.
    pub lines: Vec<Line>,
    /// The task that needed memory. `None`, as all that follows: the kernel suppressed its report, because there were many.
    pub trigger: Option<Trigger>,
    pub summary: Option<Summary>,
    /// Of the cgroup whose limit was reached, in this order: memory, memory with swap (v1), swap (v2), kernel memory (v1).
    pub counters: Vec<Counter>,
    /// Processes that could have been chosen. Empty where the kernel was told not to list them (`vm.oom_dump_tasks`).
    pub candidates: Vec<Candidate>,
    pub killed: Vec<Killed>,
    /// All of this cgroup's processes were killed (`memory.oom.group`).
    pub group: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub comm: String,
    /// From the line after the first.
    pub pid: Option<u32>,
    /// The allocation: 2^order pages; -1: somebody asked for a kill by hand.
    pub order: i32,
    /// As the kernel has it in words: `GFP_KERNEL|__GFP_ZERO`.
    pub gfp: String,
    pub gfp_mask: u64,
}

/// The line `oom-kill:…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub constraint: Constraint,
    pub cpuset: String,
    pub mems_allowed: String,
    /// The cgroup whose limit was reached. `None`: the whole host.
    pub oom_memcg: Option<String>,
    pub task_memcg: String,
    pub pid: u32,
}

/// Which memory had run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// That of the whole host.
    #[default]
    None,
    Cpuset,
    MemoryPolicy,
    Memcg,
}

/// `memory: usage 51200kB, limit 51200kB, failcnt 270`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    pub name: String,
    pub usage_bytes: u64,
    /// `None`: none is set.
    pub limit_bytes: Option<u64>,
    pub failures: u64,
}

/// A row of the table of candidates. Pages of this machine's size; 4 KiB where the row comes from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub pid: u32,
    pub uid: u32,
    pub comm: String,
    pub rss_pages: u64,
    /// Anonymous, of files, shared: since 6.9 or so.
    pub parts_pages: Option<[u64; 3]>,
    pub pgtables_bytes: u64,
    pub swap_pages: u64,
    pub oom_score_adj: i32,
}

/// The line `… Killed process …`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Killed {
    /// When it was written, and as which record.
    pub at: Duration,
    pub sequence: u64,
    pub pid: u32,
    pub comm: String,
    pub total_vm_bytes: u64,
    pub anon_bytes: u64,
    pub file_bytes: u64,
    pub shmem_bytes: u64,
    pub pgtables_bytes: u64,
    pub uid: u32,
    pub oom_score_adj: i32,
    /// For want of memory in a cgroup, and not on the host.
    pub memcg: bool,
}

impl Report {
    pub fn counter(&self, name: &str) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.name == name)
    }

    /// What it says of one of those that were killed.
    pub fn killed(&self, pid: u32) -> Option<&Killed> {
        self.killed.iter().find(|killed| killed.pid == pid)
    }
}
