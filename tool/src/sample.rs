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
    cpu, hist, io, oom,
    syscalls::{Account, Caller, Row},
    tcp,
};

use crate::{
    kernel::{cost::Usage, facts::Reasons},
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
    pub cpu: Option<Cpu>,
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
    /// Since the last sample.
    pub events: TcpEvents,
    pub totals: Retransmits,
    pub flows: HashMap<tcp::Ends, tcp::Flow>,
    /// Of connections on which something was sent again since the last sample.
    pub trips: HashMap<tcp::Ends, TripTimes>,
    /// By [`tcp::Direction`].
    pub reset_totals: [u64; 2],
    pub remotes: HashMap<tcp::Remote, tcp::Opened>,
    /// Connections opened, by [`tcp::Outcome`].
    pub outcomes: [u64; tcp::Outcome::ALL.len()],
    pub dropped: u64,
    pub drops: HashMap<tcp::DropSite, tcp::Drops>,
    /// By address of the socket.
    pub listeners: HashMap<u64, tcp::Listener>,
    /// By number of the socket's inode; of sockets in `events` and of flows and listeners that have changed.
    pub holders: HashMap<u64, Vec<Holder>>,
    /// All processes were looked at for it now, not only earlier.
    pub looked: bool,
    /// By address of the socket; the same.
    pub openers: HashMap<u64, tcp::Opener>,
    /// Kernel functions by return address; of drops that have changed.
    pub functions: HashMap<u64, String>,
    /// Why there are none.
    pub no_functions: Option<String>,
    pub reasons: Rc<Reasons>,
    /// Our own network namespace.
    pub netns: Option<u32>,
    pub network: Network,
}

/// Single events of the `tcp` probe, in order.
#[derive(Clone, Debug, Default)]
pub struct TcpEvents {
    pub retransmits: Vec<tcp::Retransmit>,
    /// Connections that were slow to open, or failed to.
    pub connects: Vec<tcp::Connect>,
    pub resets: Vec<tcp::Reset>,
    pub drops: Vec<tcp::Dropped>,
}

impl TcpEvents {
    pub fn is_empty(&self) -> bool {
        self.retransmits.is_empty() && self.connects.is_empty() && self.resets.is_empty() && self.drops.is_empty()
    }
}

/// (bucket of [`hist`], count) of smoothed round-trip times in nanoseconds, ascending.
pub type TripTimes = Vec<(u32, u64)>;

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

/// The maps of the `cpu` probe, added up over processors.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Waits by bucket.
    pub counts: Vec<u64>,
    pub total_ns: u64,
    pub max_ns: u64,
    pub untimed: u64,
    pub unsure: u64,
    /// Why there are no waits.
    pub no_waits: Option<&'static str>,
    pub switches: u64,
    pub involuntary: u64,
    /// Long waits.
    pub waited: HashMap<io::OwnerId, cpu::Waited>,
    pub by: HashMap<cpu::By, cpu::Waits>,
    /// Who ran since the last sample.
    pub ran: HashMap<RanKey, Ran>,
    pub waiting: Vec<WaitsNow>,
    /// Why neither of the two is known.
    pub no_walk: Option<&'static str>,
    pub times: HostTimes,
    /// `None`: not asked for.
    pub interrupts: Option<HashMap<Interrupt, cpu::Vector>>,
    pub irq_names: BTreeMap<u32, String>,
    /// By path of the cgroup.
    pub quotas: Result<BTreeMap<String, Throttling>, String>,
}

impl Default for Cpu {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            total_ns: 0,
            max_ns: 0,
            untimed: 0,
            unsure: 0,
            no_waits: None,
            switches: 0,
            involuntary: 0,
            waited: HashMap::new(),
            by: HashMap::new(),
            ran: HashMap::new(),
            waiting: Vec::new(),
            no_walk: None,
            times: HostTimes::default(),
            interrupts: None,
            irq_names: BTreeMap::new(),
            quotas: Ok(BTreeMap::new()),
        }
    }
}

/// Of a device, by number; or deferred work, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interrupt {
    Hard(u32),
    Soft(&'static str),
}

/// Who ran: a process, or all that have begun and ended since the last sample under one name, in one cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RanKey {
    Process(io::OwnerId),
    Ended([u8; 16], u64),
}

/// What it did since the last sample.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    pub times: cpu::Times,
    /// Time by processor, of tasks that stayed on one.
    pub on: BTreeMap<u32, u64>,
    /// Tasks that have ended.
    pub ended: u64,
    pub comm: Option<[u8; 16]>,
    of_leader: bool,
    pub cgroup: u64,
    pub kernel_thread: bool,
}

impl Ran {
    /// `place`: all of it was there.
    pub fn add(&mut self, did: &cpu::Times, place: Option<u32>) {
        self.times.ran_ns += did.ran_ns;
        self.times.waited_ns += did.waited_ns;
        self.times.voluntary += did.voluntary;
        self.times.involuntary += did.involuntary;
        if let Some(cpu) = place {
            *self.on.entry(cpu).or_default() += did.ran_ns;
        }
    }

    /// The name of a process is its first thread's.
    pub fn name(&mut self, comm: &[u8; 16], of_leader: bool, cgroup: u64) {
        if self.comm.is_none() || (of_leader && !self.of_leader) {
            self.comm = Some(*comm);
            self.of_leader = of_leader;
        }
        self.cgroup = self.cgroup.max(cgroup);
    }
}

/// A task that waits for a processor at the moment of the sample.
#[derive(Clone, Copy, Debug)]
pub struct WaitsNow {
    pub owner: io::OwnerId,
    pub tid: u32,
    pub cpu: u32,
    pub comm: [u8; 16],
    pub kernel_thread: bool,
    pub waits_ns: u64,
}

/// What the kernel accounts of processors, since boot.
#[derive(Clone, Debug, Default)]
pub struct HostTimes {
    pub processors: BTreeMap<u32, ProcessorTimes>,
    /// How often, by name.
    pub softirqs: BTreeMap<String, u64>,
}

/// Nanoseconds, rounded down to the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorTimes {
    pub user: u64,
    pub system: u64,
    pub idle: u64,
    pub irq: u64,
    pub softirq: u64,
    pub steal: u64,
}

/// Of a cgroup with a quota, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled: u64,
    /// Time that its run queues were held back, added up over processors.
    pub throttled_ns: u64,
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
