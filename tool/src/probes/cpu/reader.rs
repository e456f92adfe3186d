//! From the maps of the `cpu` probe to its part of a sample.

use std::{collections::HashMap, io, time::Duration};

use aya::Ebpf;
use stillwatch_common::{
    cpu::{
        Behind, By, CpuHeld, Ended, EndedKey, Interrupts, Loss, PerCpu, SHARDS, SLEEPERS, Shard, Shared, Sleepers,
        Vector, WaitOctave, Waited, Walked,
    },
    hist,
    io::OwnerId,
};

use super::{
    super::{
        Counters, With,
        hash_table::{HashTable, fd, take, unreadable},
        living_tasks,
    },
    MIGRATE, RUN_ITER, host,
    quota::Quotas,
    tasks::Tasks,
};
use crate::{
    cli::plan,
    kernel::{
        facts,
        loader::{self, LoadError},
        mapping::Mapping,
        pace::Pace,
        walk::Walk,
    },
    sample::{self, Moment, Stretch},
    snapshot::Lost,
};

const NO_WAITS: &str = "this kernel keeps no time of tasks that wait (CONFIG_SCHED_INFO, CONFIG_FAIR_GROUP_SCHED)";
const NOT_KEPT: &str =
    "this kernel does not note when tasks begin to wait (boot with delayacct, or sysctl kernel.sched_schedstats)";
const NO_WALK: &str = "the kernel refuses an iterator over tasks";

pub struct Reader {
    cpus: Mapping<PerCpu>,
    shards: Mapping<Shard>,
    shared: Mapping<Shared>,
    waited: HashTable<OwnerId, Waited>,
    behind: HashTable<Behind, CpuHeld>,
    by: Option<HashTable<By, WaitOctave>>,
    ended: HashTable<EndedKey, Ended>,
    interrupts: Option<(Mapping<Interrupts>, HashTable<u32, Vector>)>,
    walk: Option<Walk>,
    pace: Pace,
    /// When the last walk began, the one before, and the last sample was taken, on the programs' clock; 0: not yet.
    walked_ns: u64,
    walked_before_ns: u64,
    sampled_ns: u64,
    tasks: Tasks,
    quotas: Quotas,
    /// Facts about waits are there.
    waits: bool,
    /// Where sleeps are looked at.
    sleepers: Option<Mapping<Sleepers>>,
    last_waited: HashMap<OwnerId, Waited>,
    last_by: HashMap<By, WaitOctave>,
    drifts: Vec<Drift>,
}

/// Where the clocks of a CPU stood to each other some time ago.
#[derive(Clone, Copy, Default)]
struct Drift {
    offset_ns: u64,
    at_ns: u64,
}

/// The clocks are compared over at least so long: each comparison may be off by some hundred nanoseconds.
const DRIFT_NS: u64 = 900_000_000;
/// Adjustments of the time that are larger (`adjtimex` allows 500 millionths) are steps, not drift.
const MOST_DRIFT: i64 = (1 << 32) / 1000;

impl Reader {
    /// Takes over the probe's maps.
    pub fn new(ebpf: &mut Ebpf, plan: &plan::Cpu, with: &With) -> Result<Self, LoadError> {
        if with.facts.has(&facts::SE_DELAYED) {
            loader::attach_later(ebpf, &MIGRATE);
        }
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "CPU_CPU")?, with.processors, true).map_err(unreadable)?,
            shards: Mapping::new(fd(ebpf, "CPU_SHARDS")?, SHARDS, false).map_err(unreadable)?,
            sleepers: match with.facts.has(&facts::CPU_SLEEPS) {
                true => Some(Mapping::new(fd(ebpf, "CPU_SLEEPERS")?, SLEEPERS, true).map_err(unreadable)?),
                false => None,
            },
            shared: Mapping::new(fd(ebpf, "CPU_SHARED")?, 1, true).map_err(unreadable)?,
            waited: HashTable::new(take(ebpf, "CPU_WAITED")?, 1)?,
            behind: HashTable::new(take(ebpf, "CPU_BEHIND")?, 1)?,
            by: match plan.by {
                Some(_) => Some(HashTable::new(take(ebpf, "CPU_BY_OWNER")?, 1)?),
                None => None,
            },
            ended: HashTable::new(take(ebpf, "CPU_ENDED")?, 1)?,
            interrupts: match plan.interrupts {
                true => Some((
                    Mapping::new(fd(ebpf, "CPU_INTERRUPTS")?, with.processors, false).map_err(unreadable)?,
                    HashTable::new(take(ebpf, "CPU_IRQS")?, 1)?,
                )),
                false => None,
            },
            walk: Walk::new(ebpf, RUN_ITER, None).map_err(unreadable)?,
            pace: Pace::new(with.rest),
            walked_ns: 0,
            walked_before_ns: 0,
            sampled_ns: 0,
            tasks: Tasks::default(),
            quotas: Quotas::new(),
            waits: with.facts.has(&facts::SCHED_QUEUED),
            last_waited: HashMap::new(),
            last_by: HashMap::new(),
            drifts: vec![Drift::default(); with.processors],
        })
    }

    /// At a tick, and once right after the programs are attached.
    pub fn read(&mut self, now: Moment) -> io::Result<(sample::Cpu, Counters)> {
        let mut sample = sample::Cpu {
            times: host::read(),
            quotas: self.quotas.read(now.clock).map_err(str::to_owned),
            counts: vec![0; hist::BUCKETS],
            waited: self.waited.entries()?,
            behind: self.behind.entries()?,
            io_ns: self.sleepers.is_some().then_some(0),
            ..sample::Cpu::default()
        };
        let mut counters = self.add_up(&mut sample);
        self.interrupts(&mut sample, &mut counters)?;
        if let Some(by) = &mut self.by {
            sample.by = by.entries()?;
        }
        for shard in self.shards.values() {
            for (bucket, sum) in sample.counts.iter_mut().enumerate() {
                // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
                *sum += u64::from(unsafe { (&raw const (*shard).counts[bucket]).read_volatile() });
            }
        }
        let none_timed = sample.untimed > 100 && sample.counts.iter().all(|&count| count == 0);
        sample.no_waits = match (self.waits, none_timed) {
            (false, _) => Some(NO_WAITS),
            (true, true) => Some(NOT_KEPT),
            (true, false) => None,
        };
        self.look_at_tasks(&mut sample, now)?;
        self.make_room(&mut sample);
        Ok((sample, counters))
    }

    fn add_up(&mut self, sample: &mut sample::Cpu) -> Counters {
        let mut lost = [0; Loss::ALL.len()];
        let mut migrations = 0;
        for (cpu, drift) in self.cpus.values().zip(&mut self.drifts) {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
            let seen = unsafe { cpu.read_volatile() };
            sample.switches += seen.switches;
            sample.involuntary += seen.involuntary;
            migrations += seen.migrations;
            sample.total_ns += seen.total_ns;
            sample.max_ns = sample.max_ns.max(seen.max_ns);
            sample.untimed += seen.untimed;
            sample.io_ns.iter_mut().for_each(|sum| *sum += seen.io_ns);
            sample.unsure += seen.unsure;
            lost.iter_mut().zip(seen.lost).for_each(|(sum, part)| *sum += part);
            if let Some(slope) = drift.follow(&seen) {
                // SAFETY: as above; nobody else writes it.
                unsafe { (&raw mut (*cpu).drift).write_volatile(slope) };
            }
        }
        let lost = Loss::ALL.map(|loss| Lost { cause: loss.name(), count: lost[loss as usize] });
        let runs = vec![("sched_switch", sample.switches), ("sched_migrate_task", migrations)];
        Counters { runs, lost: lost.to_vec() }
    }

    /// Whether switches are not looked at. What was noted before of tasks that sleep is not so any more afterwards.
    pub fn shed(&mut self, shed: bool) {
        // As long as no program writes them.
        for places in self.sleepers.iter().filter(|_| !shed).flat_map(Mapping::values) {
            // SAFETY: inside the mapping, aligned.
            unsafe { places.write_volatile(Sleepers::default()) };
        }
        for cpu in self.cpus.values() {
            // SAFETY: as above; nobody else writes it.
            unsafe { (&raw mut (*cpu).shed).write_volatile(shed.into()) };
        }
    }

    /// What interrupts took, where asked for.
    fn interrupts(&mut self, sample: &mut sample::Cpu, counters: &mut Counters) -> io::Result<()> {
        let Some((processors, irqs)) = &mut self.interrupts else { return Ok(()) };
        let mut vectors = HashMap::new();
        for own in processors.values() {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
            let own = unsafe { own.read_volatile() };
            for (name, vector) in SOFTIRQ_NAMES.iter().zip(own.softirqs) {
                let sum: &mut Vector = vectors.entry(sample::Interrupt::Soft(name)).or_default();
                sum.count += vector.count;
                sum.total_ns += vector.total_ns;
                sum.max_ns = sum.max_ns.max(vector.max_ns);
            }
        }
        let soft: u64 = vectors.values().map(|vector| vector.count).sum();
        let mut hard = 0;
        for (number, vector) in irqs.entries()? {
            hard += vector.count;
            vectors.insert(sample::Interrupt::Hard(number), vector);
        }
        counters.runs.extend([("softirq_entry", soft), ("softirq_exit", soft)]);
        counters.runs.extend([("irq_handler_entry", hard), ("irq_handler_exit", hard)]);
        sample.interrupts = Some(vectors);
        sample.irq_names = host::irq_names();
        Ok(())
    }

    /// Who ran, and who waits now: as of the last walk, where it is too early for another.
    fn look_at_tasks(&mut self, sample: &mut sample::Cpu, now: Moment) -> io::Result<()> {
        if self.walk.is_none() {
            sample.no_walk = Some(NO_WALK);
            return Ok(());
        }
        let (now_ns, sampled_ns) = (now.ns(), self.sampled_ns);
        // What they did is the difference of two walks.
        if self.walked_before_ns == 0 || self.pace.is_due(now.clock, living_tasks()) {
            let before_ns = self.walked_ns;
            self.walk(now)?;
            (self.walked_before_ns, self.walked_ns) = (before_ns, now_ns);
        }
        self.sampled_ns = now_ns;
        let is_of_interval = self.walked_before_ns == sampled_ns && self.walked_ns == now_ns;
        sample.mean = (!is_of_interval && self.walked_before_ns != 0).then(|| Stretch {
            over: Duration::from_nanos(self.walked_ns - self.walked_before_ns),
            ago: Duration::from_nanos(now_ns - self.walked_ns),
        });
        sample.ran.clone_from(&self.tasks.ran);
        sample.waiting.clone_from(&self.tasks.waiting);
        Ok(())
    }

    /// Visits all tasks. The first time it only learns what they have done so far.
    fn walk(&mut self, now: Moment) -> io::Result<()> {
        let Some(walk) = &mut self.walk else { return Ok(()) };
        let now_ns = now.ns();
        // Ended tasks whose end was lost must not stay for ever: then all tasks are told anew, and the others are forgotten.
        let renew = !self.tasks.is_known(living_tasks() as usize + 1024);
        let mut before_ns = 0;
        for shared in self.shared.values() {
            // SAFETY: inside the mapping; the kernel only reads it.
            unsafe {
                before_ns = (*shared).walked_ns;
                (&raw mut (*shared).walked_before_ns).write_volatile(if renew { 0 } else { before_ns });
                (&raw mut (*shared).walks).write_volatile((*shared).walks + 1);
                (&raw mut (*shared).walked_ns).write_volatile(now_ns);
            }
        }
        self.tasks.begin(before_ns);
        let mut walked: Vec<Walked> = Vec::new();
        // SAFETY: plain integers.
        let whole = self.pace.walk(now.clock, || unsafe { walk.records(|task: &Walked| walked.push(*task)) });
        if whole.is_err() {
            for shared in self.shared.values() {
                // SAFETY: as above. The next walk has to find all that this one should have.
                unsafe { (&raw mut (*shared).walked_ns).write_volatile(before_ns) };
            }
        }
        whole?;
        if renew {
            self.tasks.renew(&walked);
        }
        walked.iter().for_each(|task| self.tasks.walked(task));
        let mut ended = self.ended.entries()?;
        let last = self.tasks.last_ended();
        let over = self.tasks.take_ended(ended.clone());
        self.ended.remove(&over);
        ended.retain(|key, _| key.task == 0);
        let tasks = &self.tasks;
        self.ended.make_room(&mut ended, |key, now| tasks.at_rest(key, now, &last));
        self.tasks.keep_ended(&ended);
        Ok(())
    }

    /// Removes processes that have not waited since the last sample, where tables fill up.
    fn make_room(&mut self, sample: &mut sample::Cpu) {
        let last = &self.last_waited;
        self.waited
            .make_room(&mut sample.waited, |owner, now| last.get(owner).is_some_and(|last| last.waits == now.waits));
        self.last_waited = sample.waited.clone();
        if let Some(by) = &mut self.by {
            let last = &self.last_by;
            by.make_room(&mut sample.by, |key, now| last.get(key).is_some_and(|last| last.counts == now.counts));
            self.last_by = sample.by.clone();
        }
    }
}

impl Drift {
    /// By how much the clocks drift apart, in 2^-32, where that can be said anew.
    fn follow(&mut self, seen: &PerCpu) -> Option<i64> {
        let now = Self { offset_ns: seen.offset_ns, at_ns: seen.offset_at_ns };
        let age_ns = now.at_ns.saturating_sub(self.at_ns);
        if self.at_ns == 0 || age_ns < DRIFT_NS {
            if self.at_ns == 0 {
                *self = now;
            }
            return None;
        }
        let grown = i128::from(now.offset_ns.wrapping_sub(self.offset_ns) as i64);
        *self = now;
        let slope = i64::try_from((grown << 32) / i128::from(age_ns)).ok()?;
        (slope.abs() <= MOST_DRIFT).then_some(slope)
    }
}

/// By number, as the kernel's `enum` has them and `/proc/softirqs` writes them.
const SOFTIRQ_NAMES: [&str; stillwatch_common::cpu::SOFTIRQS] =
    ["hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu"];

#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Loss::ALL.map(Loss::name).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_followed_and_steps_are_not() {
        let at = |offset_ns, offset_at_ns| PerCpu { offset_ns, offset_at_ns, ..PerCpu::default() };
        let mut drift = Drift::default();
        assert_eq!(drift.follow(&at(5_000, 1)), None);
        assert_eq!(drift.follow(&at(5_010, 1_000)), None, "too short to tell");
        // 50 millionths, backwards.
        let slope = drift.follow(&at(5_000u64.wrapping_sub(50_000), 1_000_000_001)).unwrap();
        assert!((-214_750..=-214_740).contains(&slope), "{slope}");
        assert_eq!(drift.follow(&at(1 << 40, 2_000_000_001)), None);
    }
}
