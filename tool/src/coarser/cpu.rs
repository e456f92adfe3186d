//! Who waited in a run queue, and who ran.

use std::cmp::Reverse;

use super::{add, together};
use crate::{
    snapshot::cpu::Cpu,
    table::{Columns, Then},
};

pub fn then(cpu: &mut Cpu, later: Cpu) {
    let Cpu { scheduler, waited, waiting, running, running_mean, by, throttled, processors, interrupts, softirqs } =
        later;
    cpu.scheduler.then(Some(&scheduler));
    cpu.waited.then(waited);
    cpu.waiting = waiting;
    cpu.running.then(running);
    cpu.running_mean = running_mean;
    cpu.by.then(by);
    cpu.throttled.then(throttled);
    cpu.processors.then(processors);
    cpu.interrupts.then(interrupts);
    let earlier = std::mem::take(&mut cpu.softirqs);
    cpu.softirqs = together(earlier, softirqs, |(name, _)| name.clone(), |(_, sum), (_, count)| add(sum, count));
    cpu.softirqs.sort_by_key(|&(_, count)| Reverse(count));
}
