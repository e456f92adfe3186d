//! What a run will do, once flags are checked and names are resolved.

use std::{path::PathBuf, time::Duration};

use crate::snapshot::syscalls::Mode;

/// A checked command line.
#[derive(Clone, Debug)]
pub struct Plan {
    pub interval: Duration,
    /// Intervals to print before ending; `None`: until interrupted.
    pub count: Option<u64>,
    pub json: bool,
    /// Rows per table.
    pub top: usize,
    pub colour: bool,
    pub filter: Filter,
    /// The probes that run.
    pub syscalls: Option<Syscalls>,
    pub io: Option<Io>,
}

/// What the `syscalls` probe will do.
#[derive(Clone, Debug)]
pub struct Syscalls {
    pub mode: Mode,
    /// Calls at least this long are listed by caller; never zero.
    pub slow: Duration,
    pub idle: bool,
    pub by: Option<By>,
    /// Only calls that failed.
    pub errors: bool,
    /// Call numbers to show; empty: all.
    pub only: Vec<u32>,
    pub draw: Draw,
}

/// Whose calls count. Empty means everybody's; all that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub pids: Vec<u32>,
    pub comm: Option<String>,
    /// Directory of the cgroup in the cgroup file system.
    pub cgroup: Option<PathBuf>,
}

/// What the `io` probe will do.
#[derive(Clone, Debug)]
pub struct Io {
    /// Devices only: no owners, no stalls, nothing in flight; one hook per request.
    pub devices_only: bool,
    /// Kernel names of devices or partitions to show; empty: all.
    pub only: Vec<String>,
    /// Waits at least this long get their stack taken and their reason named.
    pub stall: Duration,
    /// Requests at least this long are printed one by one.
    pub slow: Option<Duration>,
    /// Print the stacks behind the reasons.
    pub stacks: bool,
    /// Split each stalled process's wait over the owners of the device's time.
    pub blame: bool,
    /// List waits of kernel threads too.
    pub kernel_threads: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    Process,
    Cgroup,
}

/// How text output shows an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draw {
    Tables,
    /// One full histogram of the named call, or of all calls (`cli::TOTAL`).
    Hist(String),
    /// One line per interval.
    Heat,
}
