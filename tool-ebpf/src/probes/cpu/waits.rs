//! The end of a wait in a run queue.

use stillwatch_common::{cpu::By, hist};

use super::{
    clock::{UNKNOWN, runqueue_ns},
    tables::{self, CpuPtr},
};
use crate::{
    facts::{self, on},
    support::{
        count::{add_shared, add_shared_half, raise_shared},
        task::{Switch, Task},
    },
};

/// `next` gets the CPU.
#[inline(always)]
pub fn end(number: u32, cpu: CpuPtr, switch: &Switch) {
    let next = switch.next;
    let clock = next.runqueue_clock();
    let queued = next.queued();
    let now = runqueue_ns(cpu, clock, queued, switch.sleeps || switch.dead);
    note_run(cpu, switch.prev, clock);
    // The kernel stamps one that is preempted with its clock. Up to now it ran, or what interrupted it.
    if !switch.sleeps && !switch.dead && now != UNKNOWN && now != clock {
        tables::early(switch.prev, now.wrapping_sub(clock));
    }
    if next.is_idle() {
        return;
    }
    if now == UNKNOWN || queued == 0 {
        // SAFETY: this CPU's block; interrupts are off.
        unsafe { (*cpu).untimed += 1 };
        return;
    }
    // What the kernel will add to the task's sum in a moment.
    let counted_ns = clock.wrapping_sub(queued);
    let here_ns = now.wrapping_sub(queued);
    let wait_ns = here_ns.wrapping_add(tables::waited_elsewhere(cpu, next, counted_ns)) as i64;
    let wait_ns = if wait_ns < 0 { 0 } else { wait_ns as u64 };
    if wait_ns >= facts::CPU_SLOW_NS.load() && tables::is_stale(next, queued) {
        // SAFETY: as above.
        unsafe { (*cpu).untimed += 1 };
        return;
    }
    // SAFETY: as above.
    unsafe {
        (*cpu).total_ns += wait_ns;
        if wait_ns > (*cpu).max_ns {
            (*cpu).max_ns = wait_ns;
        }
    }
    let bucket = hist::bucket(wait_ns);
    tables::count(number, bucket as usize);
    if wait_ns >= facts::CPU_SLOW_NS.load() {
        slow(number, cpu, switch.prev, next, queued, wait_ns);
    }
    if on(&facts::CPU_BY) {
        by(cpu, next, wait_ns, bucket);
    }
}

/// `prev` leaves the CPU. Of those who had it for long, the one that had it longest of late is kept.
#[inline(always)]
fn note_run(cpu: CpuPtr, prev: Task, clock: u64) {
    let ran_ns = clock.wrapping_sub(prev.arrived());
    if ran_ns < facts::CPU_SLOW_NS.load() >> 1 || prev.is_idle() {
        return;
    }
    // SAFETY: this CPU's block; interrupts are off.
    unsafe {
        let run = &raw mut (*cpu).long_run;
        // One that ended before this one began may be in nobody's way any more.
        let old = clock.wrapping_sub((*run).ended) > OLD_NS;
        if ran_ns >= (*run).ran_ns >> 1 || old {
            (*run).ended = clock;
            (*run).ran_ns = ran_ns;
            (*run).tgid = prev.tgid();
            (&raw mut (*run).comm).cast::<[u64; 2]>().write(prev.comm());
        }
    }
}

const OLD_NS: u64 = 1_000_000_000;

#[inline(always)]
fn slow(number: u32, cpu: CpuPtr, prev: Task, next: Task, queued: u64, wait_ns: u64) {
    let Some(waited) = tables::waited(cpu, next) else { return };
    // SAFETY: a map value, shared between CPUs; and this CPU's block.
    unsafe {
        add_shared(&raw mut (*waited).waits, 1);
        add_shared(&raw mut (*waited).total_ns, wait_ns);
        raise_shared(&raw mut (*waited).max_ns, wait_ns);
        // Taken anew each time: programs change it when they execute another one.
        (&raw mut (*waited).comm).cast::<[u64; 2]>().write(next.comm());
        (*waited).cpu = number;
        let run = &raw mut (*cpu).long_run;
        if (*run).ran_ns != 0 && (*run).ended.wrapping_sub(queued) as i64 > 0 {
            (*waited).behind_tgid = (*run).tgid;
            (&raw mut (*waited).behind_comm)
                .cast::<[u64; 2]>()
                .write((&raw const (*run).comm).cast::<[u64; 2]>().read());
        } else {
            (*waited).behind_tgid = prev.tgid();
            (&raw mut (*waited).behind_comm).cast::<[u64; 2]>().write(prev.comm());
        }
    }
}

#[inline(always)]
fn by(cpu: CpuPtr, next: Task, wait_ns: u64, bucket: u32) {
    let key = By { owner: next.owner(), octave: (bucket / hist::ROW as u32).into() };
    let Some(waits) = tables::by(cpu, &key, next) else { return };
    let sub = crate::support::opaque(bucket as usize) & (hist::ROW - 1);
    // SAFETY: a map value, shared between CPUs; the index is masked.
    unsafe {
        add_shared_half(&raw mut (*waits).counts[sub], 1);
        add_shared(&raw mut (*waits).total_ns, wait_ns);
        raise_shared(&raw mut (*waits).max_ns, wait_ns);
        (&raw mut (*waits).comm).cast::<[u64; 2]>().write(next.comm());
    }
}
