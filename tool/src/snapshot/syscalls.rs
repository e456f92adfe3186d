//! The `syscalls` probe's part of a snapshot.

use super::Latency;

/// How calls are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every call, from entry to return.
    Exact,
    /// Only calls that sleep, and of them only the sleeping, seen from the scheduler.
    Blocked,
}

/// System calls of one interval.
#[derive(Clone, Debug)]
pub struct Syscalls {
    pub mode: Mode,
    /// One row per call that occurred, the largest total time first, calls that wait by design below the others (unless
    /// asked for); filters are already applied, `--top` is not.
    pub rows: Vec<Row>,
    /// Sum of `rows`.
    pub total: Row,
    /// Calls over the threshold, by process, the largest total first.
    pub slow: Vec<Account>,
    /// Calls that have not returned, the oldest first.
    pub in_flight: Vec<InFlight>,
    /// The full breakdown, where asked for; the largest total first.
    pub by: Option<Vec<Account>>,
    /// Calls that ended in this interval but began before we attached: counted, not timed.
    pub before_start: u64,
}

/// One system call.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub syscall: String,
    /// Times it returned; in blocked mode, times that a caller slept in it.
    pub calls: u64,
    pub errors: u64,
    /// Name and count of the commonest error.
    pub commonest_error: Option<(String, u64)>,
    /// Attempts that a signal cut short (ERESTART…): neither success nor error yet.
    pub interrupted: u64,
    /// Of `calls`: those without a latency.
    pub untimed: u64,
    /// Of `untimed`: calls that ended their task (`exit`, `exit_group`).
    pub unreturned: u64,
    pub latency: Latency,
}

/// Who is behind a number. What is not known is `None`, never 0 or a bystander's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    pub pid: Option<u32>,
    /// As the host says it, not escaped: sinks escape.
    pub comm: Option<String>,
    /// Path below the cgroup root.
    pub cgroup: Option<String>,
    /// Why something above is `None`.
    pub unknown: Option<&'static str>,
    /// What the kernel noted beside the numbers (unified hierarchy): names the cgroup of a process that has ended.
    pub cgroup_id: Option<u64>,
}

impl Who {
    /// A process that was just seen.
    pub fn living(pid: u32) -> Self {
        Self { pid: Some(pid), ..Self::default() }
    }

    /// A process, with the name and cgroup that the kernel noted: it may have ended since.
    pub fn recorded(pid: u32, comm: &[u8; 16], cgroup_id: u64) -> Self {
        let end = comm.iter().position(|&byte| byte == 0).unwrap_or(comm.len());
        let comm = String::from_utf8_lossy(&comm[..end]).into_owned();
        Self { comm: Some(comm), cgroup_id: Some(cgroup_id).filter(|&id| id != 0), ..Self::living(pid) }
    }
}

/// What one process (or one cgroup) did with one call.
#[derive(Clone, Debug)]
pub struct Account {
    pub who: Who,
    /// `None` when all calls are added up.
    pub syscall: Option<String>,
    pub calls: u64,
    pub errors: u64,
    pub total_ns: u64,
    /// Exact where this interval holds the caller's longest since start; else the longest that it can have been: no longer
    /// than anybody's in this interval.
    pub max_ns: u64,
}

/// A call that has not returned.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub who: Who,
    pub tid: u32,
    pub syscall: String,
    /// `None`: since before we started.
    pub age_ns: Option<u64>,
}
