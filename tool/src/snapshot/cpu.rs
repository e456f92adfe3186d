//! Who waited for a processor, and who had it.

use super::{Latency, Who};

/// The `cpu` probe's part of a snapshot.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Waits of all tasks of the host, from being runnable to running.
    pub run_queue: Latency,
    /// Waits that are in no histogram: their begin is not known.
    pub untimed: u64,
    /// Waits that may have begun earlier, in another run queue.
    pub unsure: u64,
    /// Why there are no waits.
    pub no_waits: Option<&'static str>,
    pub switches: u64,
    /// Of these, those of tasks that could have gone on.
    pub involuntary: u64,
    /// Processes with waits over the threshold.
    pub waited: Vec<Waited>,
    /// Tasks that wait now, the longest first.
    pub waiting: Vec<Waiting>,
    pub running: Vec<Running>,
    /// Why neither of the two is known.
    pub no_walk: Option<&'static str>,
    /// All waits by process or cgroup, where asked for.
    pub by: Option<Vec<By>>,
    /// Cgroups that were held back.
    pub throttled: Result<Vec<Throttled>, String>,
    pub processors: Vec<Processor>,
    /// What interrupts took, where asked for; the longest in all first.
    pub interrupts: Option<Vec<Interrupt>>,
    /// Softirqs by name, the most frequent first.
    pub softirqs: Vec<(String, u64)>,
}

/// Long waits of one process.
#[derive(Clone, Debug, Default)]
pub struct Waited {
    pub who: Who,
    pub waits: u64,
    pub total_ns: u64,
    pub max_ns: u64,
    /// Where the last of them ended, and who had that processor for longest meanwhile, as far as is known; `None`: nobody, it was
    /// idle.
    pub cpu: u32,
    pub behind: Option<Who>,
}

#[derive(Clone, Debug, Default)]
pub struct Waiting {
    pub who: Who,
    pub tid: u32,
    pub cpu: u32,
    pub age_ns: u64,
}

/// A process, or all that began and ended in the interval under one name.
#[derive(Clone, Debug, Default)]
pub struct Running {
    pub who: Who,
    /// Tasks that ended; of a row without a process, all of its tasks.
    pub ended: u64,
    pub ran_ns: u64,
    /// (processor, time there), the longest first.
    pub on: Vec<(u32, u64)>,
    /// Time of tasks that were moved from one processor to another, or ended.
    pub moved_ns: u64,
    /// Time in run queues, as the kernel counts it.
    pub waited_ns: Option<u64>,
    pub voluntary: u64,
    pub involuntary: u64,
}

/// Waits of one process or cgroup.
#[derive(Clone, Debug, Default)]
pub struct By {
    pub who: Who,
    pub latency: Latency,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttled {
    pub cgroup: String,
    pub periods: u64,
    pub throttled: u64,
    pub throttled_ns: u64,
    /// Its processes, and those of cgroups below it; of many, some.
    pub members: Vec<Who>,
}

/// Shares of the interval, in nanoseconds rounded to the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processor {
    pub number: u32,
    pub user_ns: u64,
    pub system_ns: u64,
    pub idle_ns: u64,
    pub irq_ns: u64,
    pub softirq_ns: u64,
    pub steal_ns: u64,
}

/// Interrupts of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupt {
    pub soft: bool,
    /// Of a softirq its own; of a device's interrupt who handles it, where that is known.
    pub name: Option<String>,
    pub irq: Option<u32>,
    pub count: u64,
    pub total_ns: u64,
    pub max_ns: u64,
}
