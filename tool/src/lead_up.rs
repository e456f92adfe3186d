//! Memory of the host, now and in the minutes before a kill.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Of the whole host, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    #[serde(rename = "total_bytes")]
    pub total: u64,
    #[serde(rename = "free_bytes")]
    pub free: u64,
    #[serde(rename = "available_bytes")]
    pub available: u64,
    #[serde(rename = "swap_total_bytes")]
    pub swap_total: u64,
    #[serde(rename = "swap_free_bytes")]
    pub swap_free: u64,
}

/// The minutes before a kill, the oldest first. `None`: not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeadUp {
    /// How long before the kill.
    pub before: Vec<Duration>,
    pub free: Vec<u64>,
    pub available: Vec<u64>,
    pub swap_used: Vec<u64>,
    /// Share of the time in which some task, or all, waited for memory, in percent.
    pub pressure_some: Vec<Option<f32>>,
    pub pressure_full: Vec<Option<f32>>,
    /// Time that all tasks together waited, per second, in nanoseconds.
    pub stalled_ns: Vec<u64>,
    /// Those that grew most.
    pub processes: Vec<Series>,
    pub cgroups: Vec<Series>,
    /// Times at which there was not enough time to look at all processes.
    pub cut_short: u64,
}

/// Resident memory of one process, or of all of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub pid: Option<u32>,
    pub comm: Option<String>,
    pub cgroup: Option<String>,
    pub bytes: Vec<Option<u64>>,
}

impl Series {
    /// From the first to the last that was measured.
    pub fn growth(&self) -> i64 {
        let mut known = self.bytes.iter().flatten();
        let first = known.next().copied().unwrap_or(0);
        let last = known.next_back().copied().unwrap_or(first);
        last as i64 - first as i64
    }
}
