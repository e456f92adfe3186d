//! Who waited in a run queue, and who had the CPU.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Latency, Who, who::about};
use crate::table::{Bounded, Known, named, placed, table};

named!(InterruptKind);

/// Reasons why something is not known.
pub const NONE_WAITED: &str = "nothing waited in a run queue";
pub const NOT_MEASURED: &str = "not measured";
pub const TOO_MANY: &str = "there are too many tasks for every interval";
pub const MANY: &str = "nobody is known to have had the CPU for half of the time";

/// The `cpu` probe's part of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    pub scheduler: Scheduler,
    /// Processes with waits over the threshold.
    pub waited: Bounded<Waited>,
    /// Tasks that wait now, the longest first.
    pub waiting: Known<Bounded<Waiting>>,
    /// Who ran, the longest first.
    pub running: Known<Bounded<Running>>,
    /// Of what `running` is a mean; none: it is of this interval.
    pub running_mean: Option<RunningMean>,
    /// All waits by process or cgroup, where asked for.
    pub by: Option<Bounded<WaitsBy>>,
    /// Cgroups that were throttled.
    pub throttled: Known<Bounded<Throttled>>,
    pub processors: Vec<Processor>,
    /// What interrupts took, where asked for; the longest in all first.
    pub interrupts: Option<Vec<Interrupt>>,
    /// Softirqs by name, the most frequent first.
    pub softirqs: Vec<(String, u64)>,
}

table! {
    /// What the scheduler did on all CPUs.
    pub struct Scheduler in "cpu" {
        /// Waits of all tasks of the host, from being runnable to running.
        waits: Known<u64> = counter("waits").source("sched_switch").as_of("run_queue");
        /// Of these: those that are in no histogram, because when they began is not known.
        untimed: u64 = counter("waits");
        /// Of these: those that may have begun earlier, in another run queue.
        unsure: u64 = counter("waits");
        /// How long they were.
        run_queue: Known<Latency> = histogram().source("sched_switch").empty(NONE_WAITED), text [
            rate("WAITS/s").least(7),
            q50("p50").close().least(5),
            q90("p90").close().least(5),
            q99("p99").close().least(5),
            q999("p99.9").close().least(5),
            longest("MAX").close().least(5),
            time_rate("TIME/s").least(6),
            spark(Room::Wide),
        ];
        /// Sleeps of tasks that wait for I/O, as the kernel's pressure has it; where sleeps of all tasks are looked at.
        io_ns: Option<u64> = counter("ns").source("task_struct.in_iowait").optional();
        /// From one task to another.
        switches: u64 = counter("switches").source("sched_switch");
        /// Of these: involuntary ones, of tasks that could have gone on.
        involuntary: u64 = counter("switches").source("sched_switch").key("involuntary_switches");
    }

    /// Long waits of one process.
    pub struct Waited in "cpu.waited" {
        /// Who waited.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("WAITED"), pid("PID"), cgroup("CGROUP")];
        /// Scheduling class, or nice value, of the thread whose wait was the last to end; none: the usual one.
        class: Option<String> = info().source("task_struct.policy").optional(), text [words("CLASS").least(8).unless_zero()];
        /// Waits over the threshold that ended in this interval.
        waits: u64 = counter("waits").source("sched_switch"), text [count("WAITS").least(5)];
        /// All of them together.
        total_ns: u64 = counter("ns").source("sched_switch"), text [duration("TOTAL").close().least(5)];
        /// Of these, the time of this interval.
        lost_ns: u64 = counter("ns").hidden();
        /// The longest of them.
        max_ns: u64 = gauge("ns").max().source("sched_switch"), text [duration("MAX").close().least(5)];
        /// Where the last of them ended.
        cpu: u32 = info(), text [number("CPU").least(4)];
        /// Who had the CPU for at least half of that time, by name alone where several of one name had it together; none: nobody, it was idle.
        behind: Known<Option<Who>> = info().columns(Who::COLUMNS), text [own("BEHIND", "behind")];
    }

    /// A task that waits now.
    pub struct Waiting in "cpu.waiting" derive(Default) {
        /// Who waits.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("WAITING NOW"), pid("PID"), cgroup("CGROUP")];
        /// Scheduling class, or nice value, of the thread; none: the usual one.
        class: Option<String> = info().source("task_struct.policy").optional(), text [words("CLASS").least(8).unless_zero()];
        /// The thread.
        tid: u32 = label(), text [number("TID").least(7)];
        /// For which CPU.
        cpu: u32 = info(), text [number("CPU").least(4)];
        /// Since it could run.
        age_ns: u64 = gauge("ns").max(), text [duration("AGE").least(5)];
    }

    /// What the rows of `running` are a mean of, on a large host.
    pub struct RunningMean in "cpu.running_mean" {
        /// Between two looks at all tasks.
        over_ns: u64 = gauge("ns");
        /// Since the second of them.
        ago_ns: u64 = gauge("ns");
    }

    /// A process, or all that began and ended in the interval under one name.
    pub struct Running in "cpu.running" {
        /// Who ran.
        who: Who = label().columns(Who::COLUMNS).flat(),
            text [comm("RUNNING"), pid("PID"), cgroup("CGROUP"), group("RUNNING", "–")];
        /// Scheduling class, or nice value, of the thread that ran longest; none: the usual one, or it has ended.
        class: Option<String> = info().source("task_struct.policy").optional(), text [words("CLASS").least(8).unless_zero()];
        /// Time that its tasks ran.
        ran_ns: u64 = counter("ns"), text [own("CPU", "share").right().least(5)];
        /// Of tasks that stayed on one CPU, by its number.
        on: BTreeMap<u32, u64> = counter("ns").key("on_ns"), text [own("ON", "places").least(14).wide()];
        /// Of tasks that were moved from one CPU to another, or ended.
        moved_ns: u64 = counter("ns");
        /// Time in run queues, as the kernel counts it.
        waited_ns: Known<u64> = counter("ns"), text [time_rate("WAIT/s").least(6)];
        /// Voluntary switches, of tasks that waited for something.
        voluntary: u64 = counter("switches").key("voluntary_switches"),
            text [own("SWITCH/s", "switches").right().least(8)];
        /// Involuntary switches, of tasks that could have gone on.
        involuntary: u64 = counter("switches").key("involuntary_switches"), text [rate("INVOL/s").least(7)];
        /// Tasks that ended; of a row without a process, all of its tasks.
        ended: u64 = counter("tasks").key("ended_tasks"), text [count("ENDED").least(5).unless_zero()];
    }

    /// All waits of one process or cgroup.
    pub struct WaitsBy in "cpu.by" derive(Default) {
        /// Who waited.
        who: Who = label().columns(Who::COLUMNS).flat(), text [
            comm("BY PROCESS"), pid("PID"), cgroup("CGROUP"), group("BY CGROUP", "–"),
        ];
        /// Waits that ended in this interval.
        waits: u64 = counter("waits").source("sched_switch"), text [rate("WAITS/s").least(7)];
        /// How long they were.
        latency: Latency = histogram().source("sched_switch").flat().sparse(), text [
            q50("p50").close().least(5),
            q90("p90").close().least(5),
            q99("p99").close().least(5),
            q999("p99.9").close().least(5).wide(),
            longest("MAX").close().least(5),
            time_rate("TIME/s").least(6),
            spark(Room::Wide).wide(),
        ];
    }

    /// A cgroup that used up its quota.
    pub struct Throttled in "cpu.throttled" derive(Default, Eq) {
        /// Path below the cgroup root.
        cgroup: String = label(), text [group("THROTTLED", "–")];
        /// Periods of its quota in which it wanted to run.
        periods: u64 = counter("periods").source("cpu.stat"), text [count("OF").least(5).after("throttled")];
        /// Of these: those in which the quota was used up.
        throttled: u64 = counter("periods").source("cpu.stat").key("throttled_periods"),
            text [count("PERIODS").least(7)];
        /// Time that it was throttled, added up over CPUs.
        throttled_ns: u64 = counter("ns").source("cpu.stat"), text [time_rate("TIME/s").least(6)];
        /// Its processes, and those of cgroups below it; of many, some.
        members: Vec<Who> = info().hidden();
    }

    /// What one CPU did: shares of the interval, rounded to the kernel's ticks.
    pub struct Processor in "cpu.cpus" derive(Copy, Default, Eq) {
        /// Its number.
        number: u32 = label().key("cpu"), text [number("CPU").least(4)];
        /// Programs.
        user_ns: u64 = counter("ns").source("/proc/stat"), text [own("USER", "user").right().least(5)];
        /// The kernel, for programs.
        system_ns: u64 = counter("ns").source("/proc/stat"), text [own("SYSTEM", "system").close().least(6)];
        /// Interrupts.
        irq_ns: u64 = counter("ns").source("/proc/stat"), text [own("IRQ", "irq").close().least(5)];
        /// What interrupts put off.
        softirq_ns: u64 = counter("ns").source("/proc/stat"), text [own("SOFTIRQ", "softirq").close().least(7)];
        /// The machine itself was not run.
        steal_ns: u64 = counter("ns").source("/proc/stat"), text [own("STEAL", "steal").close().least(5)];
        /// Nothing, or only waiting for devices.
        idle_ns: u64 = counter("ns").source("/proc/stat"), text [own("IDLE", "idle").close().least(5)];
    }

    /// Interrupts of one kind.
    pub struct Interrupt in "cpu.interrupts" derive(Eq) {
        /// Of a device, or put off.
        kind: InterruptKind = label(), text [own("INTERRUPT", "interrupt").least(9)];
        /// Of a softirq its own; of a device's interrupt who handles it, none where that is not known.
        name: Option<String> = label(), text [own("NAME", "name").least(15)];
        /// The number of a device's.
        irq: Option<u32> = label().optional();
        /// How many there were.
        count: u64 = counter("interrupts"), text [rate("COUNT/s").least(7)];
        /// What they took.
        total_ns: u64 = counter("ns"), text [time_rate("TIME/s").least(6)];
        /// The longest of them.
        max_ns: u64 = gauge("ns").max(), text [duration("MAX").close().least(5)];
    }
}

/// Kinds of interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterruptKind {
    Irq,
    Softirq,
}

impl InterruptKind {
    pub const ALL: [Self; 2] = [Self::Irq, Self::Softirq];

    pub fn name(self) -> &'static str {
        match self {
            Self::Irq => "irq",
            Self::Softirq => "softirq",
        }
    }
}

/// Whether a class is entitled to no more than what others leave over.
pub fn is_background(class: &Option<String>) -> bool {
    matches!(class.as_deref(), Some("idle" | "nice 19"))
}

/// Whether a class goes before all ordinary ones, for as long as it wants.
pub fn is_realtime(class: &Option<String>) -> bool {
    class.as_deref().is_some_and(|class| ["fifo ", "rr ", "deadline"].iter().any(|start| class.starts_with(start)))
}

impl Cpu {
    /// Long waits of those who are to have only what others leave over.
    pub fn background_ns(&self) -> u64 {
        self.waited.iter().filter(|row| is_background(&row.class)).map(|row| row.total_ns).sum()
    }

    /// Waits of all others, as far as is known.
    pub fn waits_ns(&self) -> u64 {
        self.scheduler.run_queue.value().map_or(0, |waits| waits.total_ns.saturating_sub(self.background_ns()))
    }

    /// Those who ran, as far as is known.
    pub fn ran(&self) -> impl Iterator<Item = &Running> {
        self.running.value().into_iter().flatten()
    }
}

impl Scheduler {
    /// Waits and nothing else.
    pub fn of(run_queue: Latency, untimed: u64) -> Self {
        let waits = (run_queue.count + untimed).into();
        Self { waits, untimed, unsure: 0, run_queue: run_queue.into(), io_ns: None, switches: 0, involuntary: 0 }
    }
}

impl Running {
    /// Who did not run.
    pub fn none(who: Who) -> Self {
        let on = BTreeMap::new();
        Self {
            who,
            class: None,
            ran_ns: 0,
            on,
            moved_ns: 0,
            waited_ns: 0.into(),
            voluntary: 0,
            involuntary: 0,
            ended: 0,
        }
    }

    /// Where it ran, the longest first.
    pub fn places(&self) -> Vec<(u32, u64)> {
        let mut places: Vec<_> = self.on.iter().map(|(&cpu, &ns)| (cpu, ns)).collect();
        places.sort_by_key(|&(cpu, ns)| (std::cmp::Reverse(ns), cpu));
        places
    }
}

impl Processor {
    /// All of what is accounted.
    pub fn all_ns(&self) -> u64 {
        self.user_ns + self.system_ns + self.idle_ns + self.irq_ns + self.softirq_ns + self.steal_ns
    }
}

about! { Waited: who; Waiting: who; Running: who; WaitsBy: who; }

placed! {
    Waited: row => Reverse((row.total_ns, row.waits));
    Waiting: row => (Reverse(row.age_ns), row.tid);
    Running: row => (Reverse(row.ran_ns), row.who.pid);
    WaitsBy: row => Reverse((row.latency.total_ns, row.latency.count));
    Throttled: row => Reverse((row.throttled_ns, row.throttled));
    Processor: row => row.number;
    Interrupt: row => (Reverse(row.total_ns), row.irq);
}
