//! Which cgroup a task's memory is charged to, and which limit above it counts.

use stillwatch_common::oom::DEPTH;

use crate::{
    facts,
    support::{
        cgroup::id_of_cgroup,
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
pub struct CgroupLimit {
    pub cgroup: u64,
    pub usage_pages: u64,
    pub limit_pages: u64,
    pub failures: u64,
}

const UNLIMITED: CgroupLimit = CgroupLimit { cgroup: 0, usage_pages: 0, limit_pages: 0, failures: 0 };

/// The state of the memory controller that a task is charged to: the start of a `mem_cgroup`. 0: not known.
#[inline(always)]
pub fn of(task: Task) -> u64 {
    facts::CSET_MEMORY.get().map_or(0, |offset| read_or_zero(task.css_set(), offset))
}

/// Id of its cgroup; 0: not known.
#[inline(always)]
pub fn id(memory: u64) -> u64 {
    let cgroup = || read(memory, facts::MEMORY_CSS_CGROUP.get()?);
    cgroup().and_then(id_of_cgroup).unwrap_or(0)
}

/// The first cgroup, from this one upwards, that has a limit; with `reached`, one that is at it.
#[inline(always)]
pub fn limit(mut memory: u64, reached: bool) -> CgroupLimit {
    for _ in 0..DEPTH {
        let (Some(max_at), Some(usage_at)) = (facts::MEMORY_MAX.get(), facts::MEMORY_USAGE.get()) else { break };
        let (Some(failures_at), Some(parent_at)) = (facts::MEMORY_FAILURES.get(), facts::MEMORY_CSS_PARENT.get())
        else {
            break;
        };
        if memory == 0 {
            break;
        }
        let limit_pages: u64 = read_or_zero(memory, max_at);
        let usage_pages: u64 = read_or_zero(memory, usage_at);
        if limit_pages < NONE && (!reached || usage_pages.wrapping_add(BATCH) >= limit_pages) {
            let failures = read_or_zero(memory, failures_at);
            return CgroupLimit { cgroup: id(memory), usage_pages, limit_pages, failures };
        }
        memory = read_or_zero(memory, parent_at);
    }
    UNLIMITED
}
