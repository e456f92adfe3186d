//! A task leaves its CPU for the last time.
//!
//! What it ran is counted at once, because no walk will see it. If it is older than the last walk, user space knows a part of it
//! already, and takes that off.

use stillwatch_common::cpu::{EndedKey, Times};

use super::tables::{self, CpuPtr};
use crate::support::{count::add_shared, task::Task};

#[inline(always)]
pub fn ended(cpu: CpuPtr, task: Task) {
    let Some(shared) = tables::shared() else { return };
    // SAFETY: a map value.
    let walked_ns = unsafe { (*shared).walked_ns };
    let mut key = EndedKey { cgroup: task.cgroup_id(), ..EndedKey::default() };
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut key.comm).cast::<[u64; 2]>().write_unaligned(task.name()) };
    let start_ns = task.start_ns();
    if start_ns <= walked_ns {
        key.task = task.key();
        key.start_ns = start_ns;
        key.owner = task.owner();
    } else if task.tid() != task.tgid() {
        key.owner = task.owner();
    }
    let Some(ended) = tables::ended(cpu, &key) else { return };
    let Times { ran_ns, waited_ns, voluntary, involuntary } = times(task);
    // SAFETY: a map value, shared between CPUs.
    unsafe {
        add_shared(&raw mut (*ended).tasks, 1);
        add_shared(&raw mut (*ended).times.ran_ns, ran_ns);
        add_shared(&raw mut (*ended).times.waited_ns, waited_ns);
        add_shared(&raw mut (*ended).times.voluntary, voluntary);
        add_shared(&raw mut (*ended).times.involuntary, involuntary);
    }
}

/// What the kernel keeps of a task.
#[inline(always)]
pub fn times(task: Task) -> Times {
    let [voluntary, involuntary] = task.switches();
    Times { ran_ns: task.ran_ns(), waited_ns: task.delay(), voluntary, involuntary }
}
