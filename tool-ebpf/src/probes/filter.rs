//! Whose events count: `-p`, `--comm`, `-c`. With no filter set nothing of this is left in the programs.

use aya_ebpf::{macros::map, maps::HashMap};

use crate::{
    facts::{self, on},
    support::task::Task,
};

/// Processes asked for, when there are several.
#[map]
static FILTER_TGIDS: HashMap<u32, u8> = HashMap::with_max_entries(64, 0);

/// Everything that was asked for holds for this task.
#[inline(always)]
pub fn wanted(task: Task) -> bool {
    if facts::FILTER_PIDS.load() == 1 && task.tgid() != facts::FILTER_TGID.load() {
        return false;
    }
    if facts::FILTER_PIDS.load() == 2 && FILTER_TGIDS.get_ptr(task.tgid()).is_none() {
        return false;
    }
    if on(&facts::FILTER_COMM) && !named(task) {
        return false;
    }
    let cgroup = facts::FILTER_CGROUP.load();
    cgroup == 0 || task.is_below(cgroup)
}

/// The thread or its process has the name: threads often name themselves.
#[inline(always)]
fn named(task: Task) -> bool {
    let name = [facts::FILTER_COMM_0.load(), facts::FILTER_COMM_1.load()];
    task.name() == name || task.leader().name() == name
}
