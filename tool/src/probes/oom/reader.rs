//! From the maps of the `oom` probe, and the kernel's log, to its part of a sample.

use std::{collections::HashMap, io, time::Duration};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use stillwatch_common::oom::{Cpu, Inside, Kill, Loss, Progress, Run, Signal, Stall, Waits};

use super::{
    super::{
        Counters,
        table::{Table, fd, refused, take, unreadable},
    },
    kernel_log::KernelLog,
    meminfo,
    stories::Stories,
};
use crate::{
    kernel::{loader::LoadError, mapping::Mapping},
    oom_report::Collector,
    sample::Oom,
    snapshot::Lost,
};

/// Events are told apart by their size.
const KILL: usize = size_of::<Kill>();
const PROGRESS: usize = size_of::<Progress>();
const SIGNAL: usize = size_of::<Signal>();

/// Programs, in the order of [`Run`].
const PROGRAMS: [&str; Run::COUNT] = [
    "mark_victim",
    "finish_task_reaping",
    "sched_process_exit",
    "exit_mmap",
    "mm_vmscan_direct_reclaim_begin",
    "mm_vmscan_direct_reclaim_end",
    "mm_vmscan_memcg_reclaim_begin",
    "mm_vmscan_memcg_reclaim_end",
    "mm_compaction_begin",
    "mm_compaction_end",
    "sched_switch",
    "signal_generate",
];

/// Reports stay this long, for kills that are told late.
const REPORTS_KEPT: Duration = Duration::from_secs(120);

pub struct Reader {
    cpus: Mapping<Cpu>,
    stalls: Table<Stall, Waits>,
    tasks: Table<u64, Inside>,
    events: RingBuf<MapData>,
    log: Result<KernelLog, String>,
    reports: Collector,
    stories: Stories,
    signals: Vec<Signal>,
    /// Of the last sample.
    last: HashMap<Stall, Waits>,
    /// Kills as the kernel itself counts them, before we attached; `None`: it does not.
    counted_before: Option<u64>,
    marked: u64,
    /// Counted by the kernel and not seen by us, in the last sample and for sure.
    missing: (u64, u64),
}

impl Reader {
    /// Takes over the probe's maps. Before the programs are attached, so that no record of a kill that they see is missed.
    pub fn new(ebpf: &mut Ebpf, processors: usize) -> Result<Self, LoadError> {
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "OOM_CPU")?, processors, false).map_err(unreadable)?,
            stalls: Table::new(take(ebpf, "OOM_STALLS")?, 1)?,
            tasks: Table::new(take(ebpf, "OOM_TASKS")?, 1)?,
            events: RingBuf::try_from(take(ebpf, "OOM_EVENTS")?).map_err(refused)?,
            log: KernelLog::open(false),
            reports: Collector::default(),
            stories: Stories::default(),
            signals: Vec::new(),
            last: HashMap::new(),
            counted_before: None,
            marked: 0,
            missing: (0, 0),
        })
    }

    /// Takes in what has happened, without telling it.
    pub fn drain(&mut self) {
        while let Some(item) = self.events.next() {
            // SAFETY: the programs write whole ones, of plain integers.
            unsafe {
                match item.len() {
                    KILL => {
                        self.marked += 1;
                        self.stories.begin(item.as_ptr().cast::<Kill>().read_unaligned());
                    }
                    PROGRESS => self.stories.go_on(&item.as_ptr().cast::<Progress>().read_unaligned()),
                    SIGNAL => self.signals.push(item.as_ptr().cast::<Signal>().read_unaligned()),
                    _ => {}
                }
            }
        }
        if let Ok(log) = &mut self.log {
            log.read(|line| self.reports.push(line));
        }
    }

    /// `last`: whatever is known has to be told now.
    pub fn read(&mut self, now_ns: u64, last: bool) -> io::Result<(Oom, Counters)> {
        // Before the ring: what is counted by then has been told by then, but for a moment.
        let vm = meminfo::counters();
        self.drain();
        let mut sample = Oom { vm, memory: meminfo::memory(), ..Oom::default() };
        let mut counters = self.add_up(&mut sample);
        sample.stalls = self.stalls.entries()?;
        let known = std::mem::take(&mut self.last);
        let stale = |stall: &Stall, now: &Waits| known.get(stall).is_some_and(|known| known.counts == now.counts);
        self.stalls.make_room(&mut sample.stalls, stale);
        self.last = sample.stalls.clone();
        self.tasks.read(|_, tasks| sample.inside.extend(tasks))?;
        let reports = self.log.is_ok().then_some(&self.reports);
        (sample.kills, sample.freed) = self.stories.take(now_ns, last, reports);
        self.reports.forget(Duration::from_nanos(now_ns).saturating_sub(REPORTS_KEPT));
        sample.signals = std::mem::take(&mut self.signals);
        match &self.log {
            Ok(log) => counters.lost.push(Lost { cause: "kernel log overwritten", count: log.lost }),
            Err(why) => sample.log_unavailable = Some(why.clone()),
        }
        counters.lost.push(Lost { cause: "kills not seen", count: self.not_seen(&sample) });
        Ok((sample, counters))
    }

    /// Kills that the kernel counted and no program was run for. A kill is counted a moment before it is told: what is missing has
    /// to be missing twice.
    fn not_seen(&mut self, sample: &Oom) -> u64 {
        let Some(&counted) = sample.vm.get("oom_kill") else { return 0 };
        let before = *self.counted_before.get_or_insert(counted.saturating_sub(self.marked));
        let missing = (counted - before).saturating_sub(self.marked);
        let sure = missing.min(self.missing.0).max(self.missing.1);
        self.missing = (missing, sure);
        sure
    }

    fn add_up(&self, sample: &mut Oom) -> Counters {
        let (mut runs, mut lost) = ([0; Run::COUNT], [0; Loss::ALL.len()]);
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
        let lost = Loss::ALL.map(|loss| Lost { cause: cause(loss), count: lost[loss as usize] });
        Counters { runs: PROGRAMS.into_iter().zip(runs).collect(), lost: lost.to_vec() }
    }
}

fn cause(loss: Loss) -> &'static str {
    match loss {
        Loss::Events => "events full",
        Loss::Tasks => "tasks that wait for memory full",
        Loss::Stalls => "processes that waited for memory full",
        Loss::Victims => "victims full",
    }
}
