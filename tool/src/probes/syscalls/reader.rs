//! From the maps of the `syscalls` probe to its part of a sample.

use std::{collections::HashMap, io, time::Duration};

use aya::{Ebpf, maps::Queue};
use stillwatch_common::{
    hist,
    io::tgid_of,
    syscalls::{
        Account, Asleep, BEFORE_START, CELLS, Call, CallWait, Caller, Layout, Loss, PerCpu, ROWS, Row, STRIDE,
        TaskInCall,
    },
};

use super::{SLEEP_ITER, process};
use crate::{
    cli::plan,
    kernel::{loader::LoadError, mapping::Mapping, pace::Pace, walk::Walk},
    names::Names,
    probes::{
        Counters, With,
        hash_table::{HashTable, fd, refused, take, unreadable},
        living_tasks,
    },
    sample::{InFlight, Moment, Octave, Syscalls},
    snapshot::{Lost, syscalls::Mode},
    syscall_names,
};

/// Calls in flight that one sample keeps.
const IN_FLIGHT: usize = 256;
/// Of these, those whose stack is read, the oldest first, if they take so long.
const LOOKED_AT: usize = 64;
const LONG_NS: u64 = 1_000_000_000;

pub struct Reader {
    cpus: Mapping<PerCpu>,
    layout: Mapping<Layout>,
    tasks: HashTable<u64, TaskInCall>,
    errnos: HashTable<u32, u64>,
    slow: HashTable<Caller, Account>,
    callers: Option<HashTable<Caller, Account>>,
    /// Long mode: over those that sleep. `None` there: the kernel refuses it, which is said as missing.
    walk: Option<Walk>,
    pace: Pace,
    /// Found by the last walk, with how often each has run until then, where that will be asked for again.
    asleep: Vec<((u64, TaskInCall), Option<u64>)>,
    idle: bool,
    mode: Mode,
    own_pid: u32,
    /// Calls in flight whose file was looked up: (task, start) → waits by design. A call keeps its file until it returns.
    waits: HashMap<(u64, u64), bool>,
}

impl Reader {
    /// Takes over the probe's maps and fills those that user space fills. Before the programs are attached.
    pub fn new(ebpf: &mut Ebpf, plan: &plan::Syscalls, with: &With) -> Result<Self, LoadError> {
        let layout = Mapping::<Layout>::new(fd(ebpf, "SYSCALLS_LAYOUT")?, 1, true).map_err(unreadable)?;
        for layout in layout.values() {
            for at in 0..ROWS {
                let waits = syscall_names::row_waits(at);
                // SAFETY: inside the mapping; no program runs yet.
                unsafe { (&raw mut (*layout).waits[at]).write(waits as u8) };
            }
        }
        let mut free = Queue::<_, u32>::try_from(take(ebpf, "SYSCALLS_FREE")?).map_err(refused)?;
        for cell in 1..CELLS as u32 {
            free.push(cell, 0).map_err(refused)?;
        }
        let is_long = plan.mode == Mode::Long;
        Ok(Self {
            cpus: Mapping::new(fd(ebpf, "SYSCALLS_CPU")?, if is_long { 1 } else { with.processors }, true)
                .map_err(unreadable)?,
            layout,
            tasks: HashTable::new(take(ebpf, "SYSCALLS_TASKS")?, 1)?,
            errnos: HashTable::new(take(ebpf, "SYSCALLS_ERRNO")?, with.processors)?,
            slow: HashTable::new(take(ebpf, "SYSCALLS_SLOW")?, 1)?,
            callers: match plan.by.is_some() || plan.failing {
                true => Some(HashTable::new(take(ebpf, "SYSCALLS_CALLERS")?, 1)?),
                false => None,
            },
            walk: if is_long { Walk::new(ebpf, SLEEP_ITER, None).map_err(unreadable)? } else { None },
            pace: Pace::new(with.rest),
            asleep: Vec::new(),
            idle: plan.idle,
            mode: plan.mode,
            own_pid: std::process::id(),
            waits: HashMap::new(),
        })
    }

    /// Reads everything.
    pub fn read(&mut self, now: Moment, names: &Names) -> io::Result<(Syscalls, Counters)> {
        let now_ns = now.ns();
        let mut sample = Syscalls { rows: vec![Row::default(); ROWS], cells: self.cells(), ..Syscalls::default() };
        let mut lost = [0; Loss::ALL.len()];
        let (mut enters, mut switches) = (0, 0);
        let mut in_flight = Vec::new();
        for cpu in self.cpus.values() {
            // SAFETY: inside the mapping; the kernel writes at any time, in aligned words, so every load is volatile.
            unsafe {
                enters += (&raw const (*cpu).enters).read_volatile();
                switches += (&raw const (*cpu).switches).read_volatile();
                sample.before_start += (&raw const (*cpu).before_start).read_volatile();
                for (at, lost) in lost.iter_mut().enumerate() {
                    *lost += (&raw const (*cpu).lost[at]).read_volatile();
                }
                for (at, sum) in sample.rows.iter_mut().enumerate() {
                    add(sum, (&raw const (*cpu).rows[at]).read_volatile());
                }
                for (at, sum) in sample.cells.iter_mut().enumerate().filter(|(_, cell)| cell.of.is_some()) {
                    let counts = (&raw const (*cpu).cells[at].counts).read_volatile();
                    for (sum, count) in sum.counts.iter_mut().zip(counts) {
                        *sum = sum.wrapping_add(count);
                    }
                }
                in_flight.extend(running(cpu));
            }
        }
        let counters = Counters {
            runs: match self.mode {
                Mode::Exact => vec![("sys_enter", enters), ("sys_exit", enters), ("sched_switch", switches)],
                Mode::Blocked => vec![("sched_switch", switches)],
                // As many as the probe `cpu` counts.
                Mode::Long => vec![],
            },
            lost: Loss::ALL.iter().zip(lost).map(|(&loss, count)| Lost { cause: loss.name(), count }).collect(),
        };
        self.errnos.read(|&key, counts| sample.errnos.extend([(key, counts.iter().sum::<u64>())]))?;
        self.tasks.read(|&key, tasks| {
            let inside = tasks.iter().filter(|task| task.start_ns != 0);
            in_flight.extend(inside.map(|&task| (key, task)));
        })?;
        if self.walk.is_some() {
            sample.looked_ago = self.look_for_sleepers(now, names.has_kernel_s_numbers())?;
            in_flight.extend(self.asleep.iter().map(|(call, _)| *call));
        }
        sample.in_flight = self.in_flight(in_flight, now_ns, names.has_kernel_s_numbers());
        sample.slow = self.slow.entries()?;
        if let Some(callers) = &mut self.callers {
            sample.callers = callers.entries()?;
        }
        Ok((sample, counters))
    }

    /// Looks at all tasks for those that sleep, if that is due; how long ago that was, if it was not now. Those that were found then sleep on
    /// unless they have run since: to ask that of each is cheaper than to look at all tasks of a large host.
    fn look_for_sleepers(&mut self, now: Moment, numbers: bool) -> io::Result<Option<Duration>> {
        let tasks = living_tasks();
        let Some(walk) = &mut self.walk else { return Ok(None) };
        if let Some(age) = self.pace.age(now.clock).filter(|_| numbers && !self.pace.is_due(now.clock, tasks)) {
            self.asleep.retain(|((_, task), runs)| runs.is_some() && process::runs(task.tgid, task.tid) == *runs);
            return Ok(Some(age));
        }
        let mut found = Vec::new();
        // SAFETY: plain integers.
        self.pace.walk(now.clock, || unsafe { walk.records(|asleep| found.push(call_of(asleep, now.ns()))) })?;
        found.sort_unstable_by_key(|(_, task)| task.start_ns);
        let is_asked_again = !self.pace.is_due(now.clock, tasks);
        let runs = |task: &TaskInCall| if is_asked_again { process::runs(task.tgid, task.tid) } else { None };
        self.asleep = found.into_iter().take(IN_FLIGHT).map(|call| (call, runs(&call.1))).collect();
        Ok(None)
    }

    /// Before calls are looked at again, after some of which neither begin nor end was seen: what is noted of calls that go on is not so any more.
    pub fn forget(&mut self) -> io::Result<()> {
        for cpu in self.cpus.values() {
            // SAFETY: inside the mapping, an aligned word; the programs that write it do not run.
            unsafe { (&raw mut (*cpu).call.regs).write_volatile(0) };
        }
        self.tasks.clear()
    }

    /// Cells up to the last one in use, empty, with their owners.
    fn cells(&self) -> Vec<Octave> {
        let mut cells = Vec::new();
        for layout in self.layout.values() {
            for (row, octave) in (0..ROWS).flat_map(|row| (0..hist::ROWS.min(STRIDE)).map(move |octave| (row, octave)))
            {
                // SAFETY: inside the mapping, both indexes in bounds.
                let cell = unsafe { (&raw const (*layout).cell[row][octave]).read_volatile() };
                Octave::note(&mut cells, cell, CELLS, (row as u16, octave as u8));
            }
        }
        cells
    }

    /// The oldest calls in flight, without our own and, unless asked for, without those that wait by design. `numbers`: those of
    /// processes are ours, too.
    fn in_flight(&mut self, mut calls: Vec<(u64, TaskInCall)>, now_ns: u64, numbers: bool) -> Vec<InFlight> {
        calls.retain(|(_, task)| !(numbers && task.tgid == self.own_pid));
        calls.sort_unstable_by_key(|(_, task)| task.start_ns);
        let mut known = std::mem::take(&mut self.waits);
        let mut shown = Vec::new();
        for (key, task) in calls {
            if shown.len() >= IN_FLIGHT {
                break;
            }
            let by_design = match syscall_names::waits(task.nr) {
                CallWait::ForWork => false,
                CallWait::ByDesign => true,
                // The walk has looked at its file.
                CallWait::ByFile if self.walk.is_some() => false,
                CallWait::ByFile => {
                    let call = (key, task.start_ns);
                    let looked_up = || numbers.then(|| process::waits_by_design(task.tgid, task.tid)).flatten();
                    let by_design = known.remove(&call).or_else(looked_up);
                    self.waits.extend(by_design.map(|by_design| (call, by_design)));
                    by_design.unwrap_or(false)
                }
            };
            if by_design && !self.idle {
                continue;
            }
            let age_ns = (task.start_ns != BEFORE_START).then(|| now_ns.saturating_sub(task.start_ns));
            let is_long = numbers && shown.len() < LOOKED_AT && age_ns.is_none_or(|age_ns| age_ns >= LONG_NS);
            let stack = if is_long { process::stack(task.tgid, task.tid) } else { Some(Vec::new()) };
            shown.push(InFlight { tid: task.tid, tgid: task.tgid, nr: task.nr, age_ns, stack });
        }
        shown
    }

    /// Makes room in tables that fill up, by dropping processes that have ended: nobody counts for them any more.
    pub fn tidy(&mut self, sample: &mut Syscalls, names: &Names) {
        let mut alive = HashMap::new();
        let is_alive = |owner| {
            let pid = tgid_of(owner);
            process::is_alive(pid) && names.is_same(pid, owner as u32) != Some(false)
        };
        let mut ended =
            |caller: &Caller, _: &Account| !*alive.entry(caller.owner).or_insert_with(|| is_alive(caller.owner));
        self.slow.make_room(&mut sample.slow, &mut ended);
        if let Some(callers) = &mut self.callers {
            callers.make_room(&mut sample.callers, &mut ended);
        }
    }
}

fn add(sum: &mut Row, row: Row) {
    sum.total_ns += row.total_ns;
    sum.max_ns = sum.max_ns.max(row.max_ns);
    sum.errors = sum.errors.wrapping_add(row.errors);
    sum.interrupted = sum.interrupted.wrapping_add(row.interrupted);
    sum.untimed = sum.untimed.wrapping_add(row.untimed);
    sum.unreturned = sum.unreturned.wrapping_add(row.unreturned);
}

/// The call that a task sleeps inside of, by task.
fn call_of(asleep: &Asleep, now_ns: u64) -> (u64, TaskInCall) {
    let &Asleep { task, age_ns, nr, tid, tgid, .. } = asleep;
    let start_ns = if age_ns == u64::MAX { BEFORE_START } else { now_ns.saturating_sub(age_ns) };
    (task, TaskInCall { start_ns, nr, tid, tgid, pad: 0 })
}

/// The call that a CPU is inside of right now, if it stayed the same while we looked.
///
/// # Safety
/// `cpu` points into the mapping.
unsafe fn running(cpu: *mut PerCpu) -> Option<(u64, TaskInCall)> {
    // SAFETY: promised by the caller.
    let look = || unsafe { (&raw const (*cpu).call).read_volatile() };
    let (Call { regs, start_ns, nr, tid, tgid, .. }, again) = (look(), look());
    let same = regs == again.regs && start_ns == again.start_ns && regs != 0;
    same.then_some((regs, TaskInCall { start_ns, nr, tid, tgid, pad: 0 }))
}

#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Loss::ALL.map(Loss::name).to_vec()
}
