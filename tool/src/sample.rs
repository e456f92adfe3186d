//! One reading of everything: raw, cumulative since attach, with the moment it was taken.
//!
//! Readers never reset what the kernel counts; an interval is the difference of two samples.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};

use jiff::Timestamp;
use stillwatch_common::{
    hist, io, oom,
    syscalls::{Account, Caller, Row},
    tcp,
};

use crate::{
    kernel::cost::Usage,
    oom_report::Report,
    snapshot::{
        Lost,
        oom::{LeadUp, Memory},
    },
};

#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Timestamp,
    /// On the clock of the programs (`CLOCK_MONOTONIC`).
    pub clock: Duration,
    pub usage: Usage,
    pub pressure: Result<PressureTotals, String>,
    /// Since attach, by cause.
    pub lost: Vec<Lost>,
    pub syscalls: Option<Syscalls>,
    pub io: Option<Io>,
    pub tcp: Option<Tcp>,
    pub oom: Option<Oom>,
}

/// Time stalled since boot, from the `total=` fields of `/proc/pressure/*`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PressureTotals {
    pub cpu: StallTotals,
    pub io: StallTotals,
    pub memory: StallTotals,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct StallTotals {
    pub some: Duration,
    pub full: Duration,
}

/// The maps of the `syscalls` probe, added up over processors.
#[derive(Clone, Debug, Default)]
pub struct Syscalls {
    /// By row number (`stillwatch_common::syscalls::row`).
    pub rows: Vec<Row>,
    /// By cell number.
    pub cells: Vec<Cell>,
    /// By (row << 16 | errno).
    pub errnos: HashMap<u32, u64>,
    pub slow: HashMap<Caller, Account>,
    /// Empty unless the full breakdown was asked for.
    pub callers: HashMap<Caller, Account>,
    pub before_start: u64,
    /// Calls that have not returned and are worth showing, the oldest first.
    pub in_flight: Vec<InFlight>,
}

/// One octave of one histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cell {
    /// Which histogram (`syscalls`: row; `io`: row × parts + part) and octave, once the cell is in use.
    pub of: Option<(u16, u8)>,
    /// Wraps, as it does in the kernel; differences stay right.
    pub counts: [u32; hist::ROW],
}

#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    pub tid: u32,
    pub tgid: u32,
    pub nr: u32,
    /// `None`: since before we attached.
    pub age_ns: Option<u64>,
}

/// The maps of the `io` probe, added up over shards.
#[derive(Clone, Debug, Default)]
pub struct Io {
    /// By row number: what the row stands for (`stillwatch_common::io::row_key`), once it is in use.
    pub rows: Vec<(u64, io::Row)>,
    /// By cell number.
    pub cells: Vec<Cell>,
    /// Requests that are not completed; `None`: not measured.
    pub requests: Option<Vec<io::Request>>,
    pub causes: HashMap<io::Cause, io::Work>,
    /// Of the causes' owners.
    pub owners: HashMap<io::OwnerId, io::Owner>,
    pub stalls: HashMap<io::Stall, io::Waits>,
    /// Tasks that wait now.
    pub waiting: Vec<Waiting>,
    /// Kernel functions, innermost first, of the stacks of the stalls.
    pub stacks: HashMap<u64, Rc<[String]>>,
    /// Requests over the threshold that ended since the last sample.
    pub slow: Vec<io::Slow>,
    /// Whole disks with requests that were in flight before we attached, and how many still are: reads and others.
    pub unseen: Vec<(u32, [u64; 2])>,
    /// By device number.
    pub devices: HashMap<u32, BlockDevice>,
}

/// A disk or partition.
#[derive(Clone, Debug, Default)]
pub struct BlockDevice {
    pub name: String,
    pub alias: Option<String>,
    /// Number of the whole disk.
    pub disk: u32,
}

/// A task in uninterruptible sleep.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub tid: u32,
    pub tgid: u32,
    pub kernel_thread: bool,
    /// When it began; `None`: before we attached.
    pub since_ns: Option<u64>,
    pub comm: String,
    /// Name of the call it is inside of.
    pub syscall: Option<String>,
    pub stack: Vec<String>,
    /// The device of a request of its own that is in flight.
    pub dev: Option<u32>,
}

/// The maps of the `tcp` probe, added up over processors.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    pub totals: Retransmits,
    pub flows: HashMap<tcp::Ends, tcp::Flow>,
    /// Since the last sample, in order.
    pub events: Vec<tcp::Retransmit>,
    /// The same of connections that were slow to open, or failed to.
    pub connects: Vec<tcp::Connect>,
    pub resets: Vec<tcp::Reset>,
    /// By [`tcp::Direction`].
    pub reset_totals: [u64; 2],
    /// The kernel's words for their reasons.
    pub reset_reasons: Rc<HashMap<u32, String>>,
    pub remotes: HashMap<tcp::Remote, tcp::Opened>,
    /// Connections opened, by [`tcp::Outcome`].
    pub outcomes: [u64; tcp::Outcome::ALL.len()],
    /// By number of the socket's inode; of sockets in `events` and in flows that have changed.
    pub holders: HashMap<u64, Vec<Holder>>,
    /// All processes were looked at for it now, not only earlier.
    pub looked: bool,
    /// By address of the socket; the same.
    pub openers: HashMap<u64, tcp::Opener>,
    /// Our own network namespace.
    pub netns: Option<u32>,
    pub network: Network,
}

#[derive(Clone, Debug, Default)]
pub struct Retransmits {
    /// By [`tcp::Kind`].
    pub segments: [u64; tcp::Kind::ALL.len()],
    pub attempts: u64,
    pub failed: u64,
    pub bytes: u64,
    /// Of the attempts: those that are not among the events.
    pub sampled: u64,
}

/// A process with a descriptor of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub comm: String,
}

/// The kernel's own counters, since boot.
pub type Network = BTreeMap<&'static str, u64>;

/// The maps of the `oom` probe, added up over processors, and what the kernel says of memory elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Oom {
    /// Kills whose story is told now, in order.
    pub kills: Vec<OomKill>,
    /// Kills that were told before their memory was free, which it is now.
    pub freed: Vec<OomKill>,
    /// Kills that only the kernel's log knows, and whom of those in it.
    pub missed: Vec<(Rc<Report>, u32)>,
    /// By how much the log's clock is ahead of the programs', where that is known.
    pub log_ahead_ns: i64,
    /// Processes whose memory is about to become free: to be left alone.
    pub victims: Vec<u32>,
    /// SIGKILLs that were sent since the last sample.
    pub signals: Vec<oom::Signal>,
    /// By [`oom::Kind`].
    pub totals: [oom::Total; oom::Kind::ALL.len()],
    pub stalls: HashMap<oom::Stall, oom::Waits>,
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
#[derive(Clone, Debug)]
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
