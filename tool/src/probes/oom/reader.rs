//! From the maps of the `oom` probe, and the kernel's log, to its part of a sample.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    rc::Rc,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use stillwatch_common::oom::{Inside, Kill, Loss, PerCpu, Program, Progress, Resident, Signal, Stall, StallOctave};

use super::{
    super::{
        Counters, With,
        hash_table::{HashTable, fd, refused, take, unreadable},
        kernel_log::KernelLog,
        living_tasks,
    },
    MEMORY_ITER,
    lead_up::{Point, Recorder},
    meminfo,
    stories::Stories,
    survival,
};
use crate::{
    cli::plan,
    kernel::{
        loader::LoadError,
        mapping::Mapping,
        pace::Pace,
        walk::{Extent, Walk},
    },
    names::Names,
    oom_report::Collector,
    sample::{Limit, Oom},
    snapshot::Lost,
};

/// Events are told apart by their size.
const KILL: usize = size_of::<Kill>();
const PROGRESS: usize = size_of::<Progress>();
const SIGNAL: usize = size_of::<Signal>();

/// A walk over all tasks is cut short after this time,
const BUDGET: Duration = Duration::from_millis(20);
/// and on a large host they are so many times as rare as others.
const RARER: u32 = 2;

/// Between the first tracepoint of a wait and the mark of a task that reclaims lie a few instructions, or an interruption.
const BEGUN_NS: u64 = 100_000_000;
/// Signals kept between two samples: the first.
const SIGNALS: usize = 1024;
/// Reports stay this long, for kills that are told late.
const REPORTS_KEPT: Duration = Duration::from_secs(120);

pub struct Reader {
    cpus: Mapping<PerCpu>,
    stalls: HashTable<Stall, StallOctave>,
    tasks: HashTable<u64, Inside>,
    events: RingBuf<MapData>,
    log: Result<KernelLog, String>,
    reports: Collector,
    stories: Stories,
    signals: Vec<Signal>,
    /// Signals that were too many.
    unlisted: u64,
    /// Of the last sample.
    last: HashMap<Stall, StallOctave>,
    /// When the last walk over all tasks began that came to its end; 0: none yet.
    walked_ns: u64,
    /// Waits whose end was not seen.
    unended: u64,
    /// Over all tasks, for what memory they hold, and whether they wait. `None`: the kernel refused the iterator.
    residents: Option<Walk>,
    pace: Pace,
    recorder: Recorder,
    /// Of the last walk.
    limits: Vec<Limit>,
    residents_unavailable: Option<String>,
    unprotected: Rc<[String]>,
}

impl Reader {
    /// Takes over the probe's maps. Before the programs are attached, so that no record of a kill that they see is missed.
    pub fn new(ebpf: &mut Ebpf, plan: &plan::Oom, with: &With) -> Result<Self, LoadError> {
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "OOM_CPU")?, with.processors, false).map_err(unreadable)?,
            stalls: HashTable::new(take(ebpf, "OOM_STALLS")?, 1)?,
            tasks: HashTable::new(take(ebpf, "OOM_TASKS")?, 1)?,
            events: RingBuf::try_from(take(ebpf, "OOM_EVENTS")?).map_err(refused)?,
            log: KernelLog::open(false),
            reports: Collector::default(),
            stories: Stories::default(),
            signals: Vec::new(),
            unlisted: 0,
            walked_ns: 0,
            unended: 0,
            last: HashMap::new(),
            residents: Walk::new(ebpf, MEMORY_ITER, None).map_err(unreadable)?,
            pace: Pace::new(with.rest * RARER),
            recorder: Recorder::new(plan.lead_up),
            limits: Vec::with_capacity(256),
            residents_unavailable: None,
            unprotected: Rc::new([]),
        })
    }

    /// Takes in what has happened, without telling it.
    pub fn drain(&mut self) {
        while let Some(item) = self.events.next() {
            // SAFETY: the programs write whole ones, of plain integers.
            unsafe {
                match item.len() {
                    KILL => {
                        let kill = item.as_ptr().cast::<Kill>().read_unaligned();
                        self.stories.begin(kill, &self.recorder);
                    }
                    PROGRESS => self.stories.go_on(&item.as_ptr().cast::<Progress>().read_unaligned()),
                    SIGNAL if self.signals.len() < SIGNALS => {
                        self.signals.push(item.as_ptr().cast::<Signal>().read_unaligned());
                    }
                    SIGNAL => self.unlisted += 1,
                    _ => {}
                }
            }
        }
        if let Ok(log) = &mut self.log {
            log.lines(|line| self.reports.push(line));
        }
    }

    /// `last`: whatever is known has to be told now.
    pub fn read(&mut self, now_ns: u64, last: bool) -> io::Result<(Oom, Counters)> {
        self.drain();
        let mut sample = Oom { vm: meminfo::counters(), memory: meminfo::memory(), ..Oom::default() };
        let mut counters = self.add_up(&mut sample);
        sample.stalls = self.stalls.entries()?;
        let known = std::mem::take(&mut self.last);
        let stale = |stall: &Stall, now: &StallOctave| known.get(stall).is_some_and(|known| known.counts == now.counts);
        self.stalls.make_room(&mut sample.stalls, stale);
        self.last = sample.stalls.clone();
        self.read_inside(&mut sample)?;
        counters.lost.push(Lost { cause: UNENDED, count: self.unended });
        sample.victims = self.stories.victims();
        let reports = self.log.is_ok().then_some(&self.reports);
        (sample.kills, sample.freed) = self.stories.take(now_ns, last, reports);
        if self.log.is_ok() {
            self.stories.count_missed(now_ns, &self.reports);
            counters.lost.push(Lost { cause: UNSEEN, count: self.stories.missed });
        }
        self.reports.forget(REPORTS_KEPT);
        sample.signals = std::mem::take(&mut self.signals);
        counters.lost.push(Lost { cause: UNLISTED, count: self.unlisted });
        sample.limits.clone_from(&self.limits);
        sample.residents_unavailable.clone_from(&self.residents_unavailable);
        sample.unprotected = self.unprotected.clone();
        match &self.log {
            Ok(log) => counters.lost.push(Lost { cause: OVERWRITTEN, count: log.lost }),
            Err(why) => sample.log_unavailable = Some(why.clone()),
        }
        Ok((sample, counters))
    }

    /// Who waits now. A wait that the last walk should have found, and did not, is over: the kernel did not show its end, because it
    /// had preempted the program on that CPU (7.2).
    fn read_inside(&mut self, sample: &mut Oom) -> io::Result<()> {
        let mut over = Vec::new();
        self.tasks.read(|&task, inside| {
            for inside in inside {
                if inside.since_ns.max(inside.seen_ns) + BEGUN_NS < self.walked_ns {
                    over.push(task);
                } else {
                    sample.inside.push(*inside);
                }
            }
        })?;
        self.tasks.remove(&over);
        self.unended += over.len() as u64;
        Ok(())
    }

    /// Adds a point to what is kept of the minutes before, if it is time.
    pub fn record(&mut self, names: &mut Names, now: Duration) {
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        if !self.recorder.is_due(now_ns) {
            return;
        }
        let stalled_ns = self.cpus.values().map(|cpu| {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
            let totals = unsafe { (&raw const (*cpu).totals).read_volatile() };
            totals.iter().map(|total| total.total_ns).sum::<u64>()
        });
        let stalled_ns = stalled_ns.sum();
        let (memory, pressure) = (meminfo::memory(), meminfo::pressure());
        self.recorder.begin(Point { at_ns: now_ns, memory, pressure, stalled_ns });
        if !self.pace.is_due(now, living_tasks()) {
            return;
        }
        self.recorder.begin_walk();
        self.limits.clear();
        let visit = |found: &Resident| {
            self.recorder.visit(found);
            limit(&mut self.limits, found);
        };
        let walk = match &mut self.residents {
            Some(walk) => {
                // SAFETY: plain integers.
                let walked = self.pace.walk(now, || unsafe { walk.records_within(BUDGET, visit) });
                walked.map_err(|error| error.to_string())
            }
            None => Err("the kernel refuses the iterator over tasks".to_owned()),
        };
        if walk == Ok(Extent::Whole) {
            self.walked_ns = now_ns;
        }
        self.residents_unavailable = walk.as_ref().err().map(|why| format!("memory of processes unavailable: {why}"));
        self.recorder.end(walk == Ok(Extent::CutShort), names);
    }

    /// Once everything is set up.
    pub fn protect(&mut self) {
        self.unprotected = survival::protect().into();
        for why in &*self.unprotected {
            tracing::warn!("{why}");
        }
    }

    /// What wakes us when something has happened.
    pub fn events(&self) -> io::Result<OwnedFd> {
        // SAFETY: the ring's own descriptor, which is open as long as the ring is.
        unsafe { BorrowedFd::borrow_raw(self.events.as_raw_fd()) }.try_clone_to_owned()
    }

    /// Kills that can be told before the next sample. `true`: some have to wait.
    pub fn kills(&mut self, now_ns: u64) -> (Oom, bool) {
        self.drain();
        let reports = self.log.is_ok().then_some(&self.reports);
        let (kills, freed) = self.stories.take(now_ns, false, reports);
        let log_unavailable = self.log.as_ref().err().cloned();
        (Oom { kills, freed, log_unavailable, ..Oom::default() }, self.stories.is_waiting())
    }

    fn add_up(&self, sample: &mut Oom) -> Counters {
        let (mut runs, mut lost) = ([0; Program::ALL.len()], [0; Loss::ALL.len()]);
        for cpu in self.cpus.values() {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words.
            let cpu = unsafe { cpu.read_volatile() };
            for (sum, part) in sample.totals.iter_mut().zip(cpu.totals) {
                sum.waits += part.waits;
                sum.total_ns += part.total_ns;
            }
            runs.iter_mut().zip(cpu.runs).for_each(|(sum, part)| *sum += part);
            lost.iter_mut().zip(cpu.lost).for_each(|(sum, part)| *sum += part);
        }
        let lost = Loss::ALL.map(|loss| Lost { cause: loss.name(), count: lost[loss as usize] });
        Counters {
            runs: Program::ALL.map(|program| (program.name(), runs[program as usize])).to_vec(),
            lost: lost.to_vec(),
        }
    }
}

/// Cgroups with a limit, each once.
fn limit(limits: &mut Vec<Limit>, found: &Resident) {
    if found.limit_cgroup == 0 || limits.len() == limits.capacity() {
        return;
    }
    if !limits.iter().any(|limit| limit.id == found.limit_cgroup) {
        limits.push(Limit {
            id: found.limit_cgroup,
            usage_pages: found.usage_pages,
            limit_pages: found.limit_pages,
            failures: found.failures,
        });
    }
}

/// Losses that are not counted by the programs.
const UNENDED: &str = "ends of waits for memory not seen";
const UNSEEN: &str = "kills not seen";
const OVERWRITTEN: &str = "kernel log overwritten";
const UNLISTED: &str = "SIGKILLs too many to list";

#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Loss::ALL.into_iter().map(Loss::name).chain([UNENDED, UNSEEN, OVERWRITTEN, UNLISTED]).collect()
}
