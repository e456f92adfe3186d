//! Who waits in a run queue, how long, and who has the CPU meanwhile?
//!
//! [`waits`]: the kernel notes in each task when it began to wait, so the switch that ends the wait tells its length, without a
//! hook on wake-ups and without a table of tasks. [`walk`]: who has run, and who waits now, is in the tasks themselves, which are
//! walked over at each tick; [`ended`]: of those that end before the next one, the last switch says it.
//!
//! [`interrupts`]: what interrupts take, where asked for.
//!
//! [`sleeps`]: how long tasks sleep, where that is looked at.
//!
//! Hooks: `sched_switch`; `sched_migrate_task` where tasks that sleep stay in their run queue; an iterator over tasks at each tick;
//! `softirq_*` and `irq_handler_*` where asked for. Maps: [`tables`]. Cost per switch: a clock read, three entries of arrays, no hash
//! map unless the wait was long.
//! Blind spots: `docs/probes/cpu.md`.

mod clock;
mod ended;
mod interrupts;
mod sleeps;
mod tables;
mod waits;
mod walk;

pub use interrupts::{irq_begins, irq_ends, softirq_begins, softirq_ends};
pub use walk::walk;

use crate::{
    facts::{self, on},
    support::{
        now_ns,
        switch::Switch,
        task::{Task, is_idle, waits_are_known},
    },
};

/// `sched_switch`. How long the task that comes slept, 0: it did not, or nobody looks at that.
#[inline(always)]
pub fn switch(switch: &Switch) -> u64 {
    let Some((number, cpu)) = tables::cpu() else { return 0 };
    // SAFETY: this CPU's block; interrupts are off.
    let shed = unsafe {
        (*cpu).switches += 1;
        (&raw const (*cpu).shed).read_volatile()
    };
    if shed != 0 {
        return 0;
    }
    if !switch.sleeps && !switch.dead && !is_idle(switch.prev_tid) {
        // SAFETY: as above.
        unsafe { (*cpu).involuntary += 1 };
    }
    if switch.dead {
        ended::ended(cpu, switch.prev);
    }
    if !waits_are_known() {
        return 0;
    }
    let clock = switch.next.runqueue_clock();
    waits::end(number, cpu, switch, clock);
    if !on(&facts::CPU_SLEEPS) {
        return 0;
    }
    let slept_ns = sleeps::switch(cpu, switch, clock);
    if slept_ns != 0 && switch.next.in_iowait() {
        // SAFETY: this CPU's block; interrupts are off.
        unsafe { (*cpu).io_ns += slept_ns };
    }
    slept_ns
}

#[inline(always)]
fn sleeps_are_known() -> bool {
    waits_are_known() && on(&facts::CPU_SLEEPS)
}

/// How long a task that sleeps has slept until now; `u64::MAX`: since before the run.
#[inline(always)]
pub fn asleep(task: Task) -> u64 {
    if !sleeps_are_known() {
        return 0;
    }
    let Some(cpu) = tables::cpu_of(task.cpu()) else { return 0 };
    let now_ns = now_ns();
    let clock = clock::runqueue_at(cpu, task, now_ns);
    if let Some(slept_ns) = sleeps::slept(task, clock) {
        return slept_ns;
    }
    // When it was given a CPU last is known of each, and how long it then had it is not.
    let arrived_ns = clock.wrapping_sub(task.arrived());
    if arrived_ns >= now_ns.wrapping_sub(facts::STARTED_NS.load()) { u64::MAX } else { arrived_ns }
}

/// `sched_migrate_task`: one that sleeps is about to be stamped as one that waits.
#[inline(always)]
pub fn migrate(task: Task) {
    let Some((_, cpu)) = tables::cpu() else { return };
    // SAFETY: this CPU's block; interrupts are off.
    unsafe { (*cpu).migrations += 1 };
    if task.is_delayed() {
        tables::note_stale(task);
    }
}
