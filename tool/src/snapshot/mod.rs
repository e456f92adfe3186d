//! What happened in one interval: the difference of two samples, ready to be drawn.
//!
//! No I/O and no clock here. Every sink reads these types and nothing else. All of it can be written and read back without loss
//! (serde), whatever reads it then: what is kept of a run is this.

pub mod changes;
pub mod cpu;
pub mod disk;
pub mod finding;
pub mod io;
pub mod ledger;
pub mod log;
pub mod oom;
pub mod summary;
pub mod syscalls;
pub mod tables;
pub mod tcp;
pub mod who;

#[cfg(test)]
mod tests;

pub use crate::table::Latency;
pub use who::Who;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::missing::{Level, Lost, Unavailable};
use crate::table::table;

macro_rules! snapshot {
    ($($probe:ident: $Part:ident),*) => {
        /// One interval of one run.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Snapshot {
            /// End of the interval.
            pub at: Timestamp,
            /// Its measured length, which under load is longer than the one asked for.
            pub interval: Duration,
            pub cost: Cost,
            /// Pressure stall information, or why there is none.
            pub pressure: Result<Pressure, String>,
            /// Probes that should run and have seen nothing.
            pub unavailable: Vec<Unavailable>,
            // What each probe that runs has seen.
            $(pub $probe: Option<$probe::$Part>,)*
            /// What it means, where that was asked for.
            pub findings: Option<finding::Findings>,
        }

        impl Snapshot {
            /// Without any probe.
            pub fn new(at: Timestamp, interval: Duration, pressure: Result<Pressure, String>) -> Self {
                let (cost, unavailable) = (Cost::default(), Vec::new());
                Self { at, interval, cost, pressure, unavailable, $($probe: None,)* findings: None }
            }
        }
    };
}

probes!(snapshot);

impl Snapshot {
    pub fn unavailable(&self, probe: &str) -> Option<&str> {
        self.unavailable.iter().find(|one| one.probe == probe).map(|one| one.why.as_str())
    }
}

/// What stillwatch itself cost in the interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// User and system time of our own process, percent of one CPU.
    pub user_cpu_percent: f64,
    /// Time in our programs inside the kernel, percent of one CPU: runs counted in this interval times nanoseconds per run, which are measured
    /// anew now and then. `None` where that has not been measured of those that ran, or the kernel would not.
    pub kernel_cpu_percent: Option<f64>,
    pub rss_bytes: u64,
    /// Memory of our maps, computed from their real sizes.
    pub kernel_bytes: u64,
    /// What could not be measured, by cause; only causes that occurred.
    pub lost: Vec<Lost>,
    /// How much was measured, and whether that is another level than in the interval before.
    #[serde(default)]
    pub level: Level,
    #[serde(default)]
    pub level_changed: bool,
    /// Our number; `None`: in a pid namespace of its own, where the kernel has another for us.
    #[serde(default)]
    pub pid: Option<u32>,
}

impl Cost {
    pub fn lost(&self) -> u64 {
        self.lost.iter().map(|lost| lost.count).sum()
    }

    pub fn cpu_percent(&self) -> f64 {
        self.user_cpu_percent + self.kernel_cpu_percent.unwrap_or(0.0)
    }
}

table! {
    /// Share of the interval in which tasks waited for a resource (`/proc/pressure`).
    pub struct Pressure in "pressure" derive(Copy, Default) {
        /// For a CPU.
        cpu: StallPercent = info().columns(StallPercent::COLUMNS);
        /// For block I/O.
        io: StallPercent = info().columns(StallPercent::COLUMNS);
        /// For memory.
        memory: StallPercent = info().columns(StallPercent::COLUMNS);
    }

    /// Whether some waited, or all.
    pub struct StallPercent in "pressure.percent" derive(Copy, Default) {
        /// At least one did.
        some: f64 = gauge("percent");
        /// All that had something to do did.
        full: f64 = gauge("percent");
    }
}
