//! What a run will do, once flags are checked and names are resolved.

use std::{net::Ipv6Addr, path::PathBuf, time::Duration};

use jiff::{Timestamp, civil::Time};

pub use crate::asked::{FlowsBy, Mode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Exported {
    Ndjson,
    Csv,
    Parquet,
}

macro_rules! plan {
    ($($probe:ident: $Part:ident),*) => {
        /// A checked command line.
        #[derive(Clone, Debug, Default)]
        pub struct Plan {
            pub interval: Duration,
            /// Intervals to print before ending; `None`: until interrupted.
            pub count: Option<u64>,
            pub json: bool,
            /// On the terminal, with keys.
            pub screen: bool,
            /// With no other characters.
            pub ascii: bool,
            /// Clicks and the wheel are the screen's.
            pub mouse: bool,
            /// Rows per table.
            pub top: usize,
            pub colour: bool,
            pub filter: Filter,
            /// What the run may cost, in percent of what all CPUs can do.
            pub budget_percent: f64,
            /// All probes at once, in few lines, with findings.
            pub overview: bool,
            /// Where what is seen is kept.
            pub save: Option<PathBuf>,
            /// It is kept in a folder, within limits, and only what begins and ends is told.
            pub keep: Option<Keep>,
            /// The words of the command line that this is made of.
            pub words: Vec<String>,
            // The probes that run.
            $(pub $probe: Option<$Part>,)*
        }

        impl Plan {
            /// The same without a probe.
            pub fn without(mut self, probe: &str) -> Self {
                match probe {
                    $(stringify!($probe) => self.$probe = None,)*
                    _ => {}
                }
                if self.cpu.is_none() {
                    self.look_at_all_sleeps();
                }
                self
            }

            /// Names of the probes that run.
            pub fn probes(&self) -> Vec<&'static str> {
                let all = [$(self.$probe.as_ref().map(|_| stringify!($probe))),*];
                all.into_iter().flatten().collect()
            }
        }
    };
}

probes!(plan);

/// After a walk over all tasks or descriptors of a large host, so many times as long without one: it may take a thousandth of a CPU,
const REST: u32 = 1000;
/// and all of the overview's together, five, hardly more.
const REST_OF_FIVE: u32 = 3500;
/// That over descriptors, of which small hosts do not have few, either.
pub const REST_OF_FILES: u32 = 2500;

impl Plan {
    /// After a walk over all tasks or descriptors of a large host, so many times as long without one.
    pub fn rest(&self) -> u32 {
        if self.overview { REST_OF_FIVE } else { REST }
    }

    /// How long sleeps are, the probe `cpu` says, where the kernel keeps what that takes.
    pub fn look_at_all_sleeps(&mut self) {
        if let Some(syscalls) = &mut self.syscalls
            && syscalls.mode == Mode::Long
        {
            syscalls.mode = Mode::Blocked;
        }
    }

    /// Whether what is asked for can be shown there: single events, histograms and what was long ago are lines one after the other.
    pub fn has_screen(&self) -> bool {
        let draw = self.syscalls.as_ref().is_none_or(|syscalls| syscalls.draw == Draw::Tables);
        let events = self.tcp.as_ref().is_some_and(|tcp| tcp.events);
        let once =
            self.oom.as_ref().is_some_and(|oom| oom.last) || self.disk.as_ref().is_some_and(|disk| disk.find.is_some());
        draw && !events && !once && self.keep.is_none()
    }

    /// Whether it asks for nothing but what a recording has.
    pub fn is_of_a_recording(&self) -> bool {
        let finds = self.disk.as_ref().is_some_and(|disk| disk.find.is_some());
        let packets = self.tcp.as_ref().is_some_and(|tcp| tcp.pcap.is_some());
        self.keep.is_none() && self.save.is_none() && !finds && !packets
    }

    /// Whether single events are shown as they come, not only at the end of an interval.
    pub fn is_live(&self) -> bool {
        self.tcp.as_ref().is_some_and(|tcp| (self.json && !self.overview) || tcp.events)
    }
}

/// What a recorder does with what it sees.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub limits: Limits,
    pub pins: Pins,
}

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub keep: Duration,
    pub bytes: u64,
    /// Of an incident.
    pub before: Duration,
    pub after: Duration,
    pub incident_bytes: u64,
    /// Distance of two `fsync`, where nothing begins or ends.
    pub sync: Duration,
}

/// What begins an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pins {
    pub findings: bool,
    pub kills: bool,
}

impl Pins {
    /// Only marks do.
    pub const NONE: Self = Self { findings: false, kills: false };
}

/// The same in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum On {
    Finding,
    Kill,
    None,
}

/// Whose findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Told {
    Again,
    Recorded,
}

/// A moment of a recording, in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(Timestamp),
    /// Of the last day that has it.
    Clock(Time),
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
    /// Add up calls that failed by process, beside everything else.
    pub failing: bool,
    /// Call numbers to show; empty: all.
    pub only: Vec<u32>,
    pub draw: Draw,
}

/// Whose calls count. Empty means everybody's; all that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub pids: Vec<u32>,
    pub comm: Option<String>,
    pub cgroup: Option<Cgroup>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        self.pids.is_empty() && self.comm.is_none() && self.cgroup.is_none()
    }
}

/// A cgroup, with those below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its directory in the cgroup file system.
    pub dir: PathBuf,
    /// Its path, as `/proc/PID/cgroup` spells it; of a recording, a name alone stands for itself, wherever it is.
    pub path: String,
}

impl Cgroup {
    /// Whether it is that cgroup or above it.
    pub fn holds(&self, path: &str) -> bool {
        // Of a recording's host only the name is known.
        if !self.path.starts_with('/') {
            return path.split('/').any(|part| part == self.path);
        }
        let below = path.strip_prefix(self.path.trim_end_matches('/'));
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// What the `disk` probe will do.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Say who holds that, and end.
    pub find: Option<String>,
    /// Findings are of file systems that are full within that time.
    pub horizon: Duration,
    /// Descriptors of all processes, not only of those that have many: some were asked for.
    pub all: bool,
    /// After a walk over all descriptors, this many times as long without one.
    pub rest: u32,
    /// Add up who dirties which file.
    pub writers: bool,
}

impl Default for Disk {
    fn default() -> Self {
        Self { find: None, horizon: Duration::from_secs(3600), all: false, rest: 200, writers: false }
    }
}

/// What the `changes` probe will do.
#[derive(Clone, Debug)]
pub struct Changes {
    /// How far back the first look goes.
    pub since: Duration,
    /// Folders that are looked at beside `/etc`.
    pub watch: Vec<PathBuf>,
}

impl Default for Changes {
    /// Enough for what a finding names, and what a responder asks first.
    fn default() -> Self {
        Self { since: Duration::from_secs(1800), watch: Vec::new() }
    }
}

/// What the `log` probe will do.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Paths and patterns.
    pub files: Vec<String>,
    /// Another one than that of this host.
    pub journal: Option<PathBuf>,
    /// How far back lines are shown that were written before the run.
    pub since: Duration,
    /// Only lines with these words.
    pub grep: Option<String>,
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

/// What the `tcp` probe will do.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    /// Print single events only, no tables.
    pub events: bool,
    /// Look at dropped packets.
    pub drops: bool,
    /// Connections that took at least this long to open are listed.
    pub slow: Duration,
    pub by: FlowsBy,
    /// Ports, of either end; empty: all.
    pub ports: Vec<u16>,
    /// Addresses, of either end; empty: all.
    pub addresses: Vec<Prefix>,
    /// Sockets of all processes, not only of those that have many: it was asked for the probe, or for some processes.
    pub all: bool,
    /// Packets are kept of connections that something happens to.
    pub pcap: Option<Pcap>,
}

/// Packets that are kept.
#[derive(Clone, Debug)]
pub struct Pcap {
    pub file: PathBuf,
    /// At most so much of what each carries.
    pub payload: usize,
}

/// What the `oom` probe will do.
#[derive(Clone, Debug)]
pub struct Oom {
    /// Explain kills that the kernel's log still has, and end.
    pub last: bool,
    /// Show who sends SIGKILL.
    pub signals: bool,
    /// Count sleeps for want of memory, at a switch of tasks.
    pub sleeps: bool,
    /// Print all of the kernel's log of a kill.
    pub log: bool,
    /// How far back the minutes before a kill reach.
    pub lead_up: Duration,
}

/// What the `cpu` probe will do.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Processes with waits of at least this long are listed.
    pub slow: Duration,
    /// Histograms by process or cgroup.
    pub by: Option<By>,
    /// Time in interrupts by vector.
    pub interrupts: bool,
}

/// Addresses that begin alike; IPv4 as IPv6 writes it (`::ffff:10.0.0.0/104`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    pub address: [u8; 16],
    pub bits: u32,
}

impl Prefix {
    pub fn contains(&self, address: [u8; 16]) -> bool {
        let different = u128::from_be_bytes(self.address) ^ u128::from_be_bytes(address);
        self.bits == 0 || different >> (128 - self.bits) == 0
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = Ipv6Addr::from(self.address);
        match address.to_ipv4_mapped() {
            Some(address) if self.bits >= 96 => write!(f, "{address}/{}", self.bits - 96),
            _ => write!(f, "{address}/{}", self.bits),
        }
    }
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
