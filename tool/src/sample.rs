//! One reading of everything: raw, cumulative since attach, with the moment it was taken.
//!
//! Readers never reset what the kernel counts; an interval is the difference of two samples.

mod changes;
mod cpu;
mod disk;
mod log;
mod moment;
mod oom;
mod tcp;

pub use self::{changes::*, cpu::*, disk::*, log::*, moment::Moment, oom::*, tcp::*};

use std::{collections::HashMap, rc::Rc, time::Duration};

use stillwatch_common::{
    hist, io,
    syscalls::{Account, Caller, Row},
};

use crate::missing::{Level, Lost, Unavailable};

macro_rules! sample {
    ($($probe:ident: $Part:ident),*) => {
        #[derive(Clone, Debug)]
        pub struct Sample {
            pub taken: Moment,
            pub usage: Usage,
            pub pressure: Result<PressureTotals, String>,
            /// Since attach, by cause.
            pub lost: Vec<Lost>,
            /// How much was measured since the last one.
            pub level: Level,
            /// Probes that should run and could not be read.
            pub unavailable: Vec<Unavailable>,
            $(pub $probe: Option<$Part>,)*
        }

        impl Sample {
            /// Without any probe.
            pub fn new(taken: Moment, pressure: Result<PressureTotals, String>) -> Self {
                let (usage, lost, unavailable) = (Usage::default(), Vec::new(), Vec::new());
                Self { taken, usage, pressure, lost, level: Level::default(), unavailable, $($probe: None,)* }
            }

            /// Whether a probe was read.
            pub fn has(&self, probe: &str) -> bool {
                match probe {
                    $(stringify!($probe) => self.$probe.is_some(),)*
                    _ => false,
                }
            }
        }
    };
}

probes!(sample);

/// Cumulative use of resources.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time of our process, from `getrusage`.
    pub process: Duration,
    /// Time inside our programs; `None` where it is not known how often all of them ran.
    pub programs: Option<Duration>,
    /// Of a run since the sample before it has been measured what it costs.
    pub are_measured: bool,
    pub rss_bytes: u64,
    /// What our maps take, which does not change during a run.
    pub kernel_bytes: u64,
    /// Of our process, as the kernel has it, if that is known.
    pub pid: Option<u32>,
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

/// The maps of the `syscalls` probe, added up over CPUs.
#[derive(Clone, Debug, Default)]
pub struct Syscalls {
    /// By row number (`stillwatch_common::syscalls::row`).
    pub rows: Vec<Row>,
    /// By cell number.
    pub cells: Vec<Octave>,
    /// By (row << 16 | errno).
    pub errnos: HashMap<u32, u64>,
    pub slow: HashMap<Caller, Account>,
    /// Empty unless the full breakdown, or that of calls that failed, was asked for.
    pub callers: HashMap<Caller, Account>,
    pub before_start: u64,
    /// Calls that have not returned and are worth showing, the oldest first.
    pub in_flight: Vec<InFlight>,
    /// How long ago all tasks were looked at for them, if not now.
    pub looked_ago: Option<Duration>,
}

/// One octave of one histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct Octave {
    /// Which histogram (`syscalls`: row; `io`: row × parts + part) and octave, once the cell is in use.
    pub of: Option<(u16, u8)>,
    /// Wraps, as it does in the kernel; differences stay right.
    pub counts: [u32; hist::ROW],
}

impl Octave {
    /// Notes whose a cell is: one of so many, of which the first is nobody's.
    pub fn note(cells: &mut Vec<Self>, cell: u16, most: usize, of: (u16, u8)) {
        let cell = usize::from(cell);
        if !(1..most).contains(&cell) {
            return;
        }
        if cells.len() <= cell {
            cells.resize(cell + 1, Self::default());
        }
        cells[cell].of = Some(of);
    }
}

#[derive(Clone, Debug)]
pub struct InFlight {
    pub tid: u32,
    pub tgid: u32,
    pub nr: u32,
    /// `None`: since before we attached.
    pub age_ns: Option<u64>,
    /// Of one that takes long: kernel functions, innermost first. `None`: not read in time.
    pub stack: Option<Vec<String>>,
}

/// The maps of the `io` probe, added up over shards.
#[derive(Clone, Debug, Default)]
pub struct Io {
    /// By row number: what the row stands for (`stillwatch_common::io::row_key`), once it is in use.
    pub rows: Vec<(u64, io::DeviceCounts)>,
    /// By cell number.
    pub cells: Vec<Octave>,
    /// Requests that are not completed; `None`: not measured.
    pub requests: Option<Vec<io::Request>>,
    pub causes: HashMap<io::Cause, io::Work>,
    /// Of the causes' owners.
    pub owners: HashMap<io::OwnerId, io::Owner>,
    pub stalls: HashMap<io::Stall, io::Waits>,
    /// Tasks that wait now.
    pub waiting: Vec<Waiting>,
    /// Who waits was not looked at.
    pub no_stalls: bool,
    /// Kernel functions, innermost first, of the stacks of the stalls. `None`: not read in time.
    pub stacks: HashMap<u64, Option<Rc<[String]>>>,
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
    /// Numbers of those that the disk lies on: of a loop device the one below its file, of dm and md their parts.
    pub below: Vec<u32>,
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
    /// Why it was not looked at, if it was not: call, stack and device are not known then.
    pub not_looked_at: Option<&'static str>,
    /// The device of a request of its own that is in flight.
    pub dev: Option<u32>,
}
