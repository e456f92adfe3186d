//! Which cgroup a task's memory is charged to, and which limit above it counts.

use stillwatch_common::oom::DEPTH;

use crate::{
    facts::{self, ABSENT},
    support::{
        memory::{read, read_or_zero},
        task::Task,
    },
};

/// The charge of one page may be made for this many at once, and fails for these first (`MEMCG_CHARGE_BATCH`).
const BATCH: u64 = 64;
/// A limit from here on is none: the kernel's "as much as there may be" is a little below `u64::MAX` bytes.
const NONE: u64 = 1 << 50;

/// A cgroup with a limit.
#[derive(Clone, Copy)]
pub struct Limit {
    pub cgroup: u64,
    pub usage_pages: u64,
    pub limit_pages: u64,
    pub failures: u64,
}

const UNLIMITED: Limit = Limit { cgroup: 0, usage_pages: 0, limit_pages: 0, failures: 0 };

/// The state of the memory controller that a task is charged to: the start of a `mem_cgroup`. 0: not known.
#[inline(always)]
pub fn of(task: Task) -> u64 {
    let offset = facts::CSET_MEMORY.load();
    if offset == ABSENT { 0 } else { read_or_zero(task.css_set(), offset) }
}

/// Id of its cgroup; 0: not known.
#[inline(always)]
pub fn id(memory: u64) -> u64 {
    read::<u64>(memory, facts::MEMORY_CSS_CGROUP.load())
        .and_then(|cgroup| read::<u64>(cgroup, facts::CGROUP_KN.load()))
        .and_then(|node| read(node, facts::KN_ID.load()))
        .unwrap_or(0)
}

/// The first cgroup, from this one upwards, that has a limit; with `reached`, one that is at it.
#[inline(always)]
pub fn limit(mut memory: u64, reached: bool) -> Limit {
    if facts::CSET_MEMORY.load() == ABSENT {
        return UNLIMITED;
    }
    for _ in 0..DEPTH {
        if memory == 0 {
            break;
        }
        let limit_pages: u64 = read_or_zero(memory, facts::MEMORY_MAX.load());
        let usage_pages: u64 = read_or_zero(memory, facts::MEMORY_USAGE.load());
        if limit_pages < NONE && (!reached || usage_pages.wrapping_add(BATCH) >= limit_pages) {
            let failures = read_or_zero(memory, facts::MEMORY_FAILURES.load());
            return Limit { cgroup: id(memory), usage_pages, limit_pages, failures };
        }
        memory = read_or_zero(memory, facts::MEMORY_CSS_PARENT.load());
    }
    UNLIMITED
}
