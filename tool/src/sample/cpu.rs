//! What the `cpu` probe found.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use stillwatch_common::{cpu, io};

/// The maps of the `cpu` probe, added up over CPUs.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// WaitOctave by bucket.
    pub counts: Vec<u64>,
    pub total_ns: u64,
    pub max_ns: u64,
    pub untimed: u64,
    pub unsure: u64,
    /// What tasks slept for I/O, where sleeps are looked at.
    pub io_ns: Option<u64>,
    /// Why there are no waits.
    pub no_waits: Option<&'static str>,
    pub switches: u64,
    pub involuntary: u64,
    /// Long waits.
    pub waited: HashMap<io::OwnerId, cpu::Waited>,
    /// Who had the CPU meanwhile.
    pub behind: HashMap<cpu::Behind, cpu::CpuHeld>,
    pub by: HashMap<cpu::By, cpu::WaitOctave>,
    /// Who ran, since the last sample unless it is a mean.
    pub ran: HashMap<RanKey, Ran>,
    pub mean: Option<Stretch>,
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
            io_ns: None,
            no_waits: None,
            switches: 0,
            involuntary: 0,
            waited: HashMap::new(),
            behind: HashMap::new(),
            by: HashMap::new(),
            ran: HashMap::new(),
            mean: None,
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

/// From one walk over all tasks to the next, where that is not from one sample to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub over: Duration,
    /// Since it ended.
    pub ago: Duration,
}

/// What it did since the last sample.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    pub times: cpu::Times,
    /// Time by CPU, of tasks that stayed on one.
    pub on: BTreeMap<u32, u64>,
    /// Tasks that have ended.
    pub ended: u64,
    pub comm: Option<[u8; 16]>,
    of_leader: bool,
    pub cgroup: u64,
    pub kernel_thread: bool,
    /// Of the thread that ran longest, which ran so long.
    pub scheduling: Option<cpu::Scheduling>,
    longest_ns: u64,
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

    pub fn schedule(&mut self, scheduling: cpu::Scheduling, ran_ns: u64) {
        if self.scheduling.is_none() || ran_ns > self.longest_ns {
            (self.scheduling, self.longest_ns) = (Some(scheduling), ran_ns);
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

/// A task that waits in a run queue at the moment of the sample.
#[derive(Clone, Copy, Debug)]
pub struct WaitsNow {
    pub owner: io::OwnerId,
    pub tid: u32,
    pub cpu: u32,
    pub comm: [u8; 16],
    pub kernel_thread: bool,
    pub scheduling: cpu::Scheduling,
    pub waits_ns: u64,
}

/// What the kernel accounts of CPUs, since boot.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    pub periods: u64,
    /// Periods in which the quota was used up.
    pub throttled: u64,
    /// Time that it was throttled, added up over CPUs.
    pub throttled_ns: u64,
    /// Its processes, and those of cgroups below it; only if it was throttled since the last sample, and of many only some.
    pub members: Vec<u32>,
}
