//! Who waits for memory, how, and for how long.

use stillwatch_common::{
    hist,
    oom::{Inside, Kind, Program, Stall},
};

use super::tables::{self, CpuPtr};
use crate::{
    facts::{self, on},
    support::{
        count::{add_shared, add_shared_half, raise_shared},
        now_ns, opaque,
        switch::Switch,
        task::Task,
    },
};

/// The first of a pair of tracepoints, in the context of the task that waits from now on.
#[inline(always)]
pub fn begin(program: Program, kind: Kind) {
    let Some(cpu) = tables::cpu(program) else { return };
    let task = Task::current();
    if !is_background(task, kind) {
        enter(cpu, task, kind);
    }
}

/// The second of the pair.
#[inline(always)]
pub fn end(program: Program, kind: Kind) {
    let Some(cpu) = tables::cpu(program) else { return };
    leave(cpu, Task::current(), kind);
}

/// `sched_switch`: a stalled task goes to sleep, or runs again.
#[inline(always)]
pub fn switch(switch: &Switch) {
    // Where `cpu` looks, it counts the runs.
    if !on(&facts::CPU_TIMES) {
        tables::cpu(Program::Switch);
    }
    let (prev, next) = (switch.prev, switch.next);
    let (begins, ends) = (switch.sleeps && prev.in_memstall(), next.in_memstall());
    if !begins && !ends {
        return;
    }
    let Some(cpu) = tables::this_cpu() else { return };
    if begins && prev.is_user() && tables::inside(prev).is_none() {
        enter(cpu, prev, Kind::Sleep);
    }
    if ends && next.is_user() {
        leave(cpu, next, Kind::Sleep);
    }
}

/// The kernel compacts memory ahead of time, too, and on request (`vm.compact_memory`): nobody waits for memory then.
#[inline(always)]
fn is_background(task: Task, kind: Kind) -> bool {
    matches!(kind, Kind::Compaction) && (task.is_kernel_thread() || !task.is_reclaiming())
}

/// The task iterator: a task that waits is marked as one that does. The kernel does not show the end of a wait when it has preempted
/// the program for another task of that CPU (7.2): user space takes an entry away that a walk did not mark.
#[inline(always)]
pub fn visit(task: Task) {
    let Some(known) = tables::inside(task) else { return };
    // SAFETY: a map value. One that is replaced meanwhile begins now, which is what the mark says, too.
    unsafe {
        let waits = if (*known).kind == Kind::Sleep as u32 { task.in_memstall() } else { task.is_reclaiming() };
        if waits {
            (*known).seen_ns = now_ns();
        }
    }
}

#[inline(always)]
fn enter(cpu: CpuPtr, task: Task, kind: Kind) {
    let new = Inside { since_ns: now_ns(), seen_ns: 0, owner: task.owner(), tid: task.tid(), kind: kind as u32 };
    tables::enter(cpu, task, &new);
}

/// Ends a wait of this kind; of another kind, or none that was seen to begin, there is nothing to say.
#[inline(always)]
fn leave(cpu: CpuPtr, task: Task, kind: Kind) {
    let Some(known) = tables::inside(task) else { return };
    // SAFETY: a map value; only the task itself, or the CPU that switches to it, touches its entry.
    let Inside { since_ns, owner, kind: begun, .. } = unsafe { *known };
    if begun != kind as u32 {
        return;
    }
    tables::leave(task);
    let wait_ns = now_ns().wrapping_sub(since_ns);
    let bucket = hist::bucket(wait_ns) as usize;
    // SAFETY: a map value; the index is an enum's.
    unsafe {
        add_shared(&raw mut (*cpu).totals[kind as usize].waits, 1);
        add_shared(&raw mut (*cpu).totals[kind as usize].total_ns, wait_ns);
    }
    let key = Stall { owner, kind: kind as u32, octave: (bucket / hist::ROW) as u32 };
    let Some(waits) = tables::stall(cpu, &key, task) else { return };
    let place = opaque(bucket) & (hist::ROW - 1);
    // SAFETY: a map value; the index is masked.
    unsafe {
        add_shared_half(&raw mut (*waits).counts[place], 1);
        add_shared(&raw mut (*waits).total_ns, wait_ns);
        raise_shared(&raw mut (*waits).max_ns, wait_ns);
        // Taken anew each time: programs change it when they execute another one.
        (&raw mut (*waits).comm).cast::<[u64; 2]>().write(task.comm());
    }
}
