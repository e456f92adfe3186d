//! Who waits in a run queue, how long, and who has the CPU meanwhile?
//!
//! [`waits`]: the kernel notes in each task when it began to wait, so the switch that ends the wait tells its length, without a
//! hook on wake-ups and without a table of tasks. [`walk`]: who has run, and who waits now, is in the tasks themselves, which are
//! walked over at each tick; [`ended`]: of those that end before the next one, the last switch says it.
//!
//! [`interrupts`]: what interrupts take, where asked for.
//!
//! Hooks: `sched_switch`; `sched_migrate_task` where tasks that sleep stay in their run queue; an iterator over tasks at each tick;
//! `softirq_*` and `irq_handler_*` where asked for. Maps: [`tables`]. Cost per switch: a clock read, three entries of arrays, no hash
//! map unless the wait was long.
//! Blind spots: `docs/probes/cpu.md`.

mod clock;
mod ended;
mod interrupts;
mod tables;
mod waits;
mod walk;

pub use interrupts::{irq_begins, irq_ends, softirq_begins, softirq_ends};
pub use walk::walk;

use crate::support::task::{Switch, Task, waits_are_known};

/// `sched_switch`.
#[inline(always)]
pub fn switch(switch: &Switch) {
    let Some((number, cpu)) = tables::cpu() else { return };
    // SAFETY: this CPU's block; interrupts are off.
    unsafe { (*cpu).switches += 1 };
    if !switch.sleeps && !switch.dead && !switch.prev.is_idle() {
        // SAFETY: as above.
        unsafe { (*cpu).involuntary += 1 };
    }
    if switch.dead {
        ended::ended(cpu, switch.prev);
    }
    if waits_are_known() {
        waits::end(number, cpu, switch);
    }
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
