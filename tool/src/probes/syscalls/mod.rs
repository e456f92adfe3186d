//! The `syscalls` probe, seen from user space; `docs/probes/syscalls.md` has the whole story.

mod process;
mod reader;

pub use reader::Reader;
#[cfg(test)]
pub use reader::causes;

use aya::Ebpf;

use super::{Counters, Probe, Read, Tick, With, living_tasks};
use crate::{
    cli::plan::{self, By, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{Hook, LoadError, SCHED_SWITCH, TASK_ITER},
    },
    sample,
    snapshot::syscalls::Mode,
};

pub const PROBE: Probe =
    Probe { per_processor: &["SYSCALLS_CPU"], hooks, entries, set, ..Probe::without_hooks("syscalls", "SYSCALLS_") };

const SYS_EXIT: Hook = Hook::tp_btf("sys_exit", "exact mode");
const SYS_ENTER: Hook = Hook::tp_btf("sys_enter", "exact mode");

/// Read at ticks.
const WALK: Hook = Hook::iter(SLEEP_ITER, "task", "calls in flight").later();
const SLEEP_ITER: &str = "sleep_iter";

/// Exits before entries: a call whose entry was not seen is then known as begun before the start, instead of leaving
/// an entry that no exit takes away.
fn hooks(plan: &Plan) -> Vec<Hook> {
    match plan.syscalls.as_ref().map(|plan| plan.mode) {
        Some(Mode::Exact) => vec![SCHED_SWITCH, SYS_EXIT, SYS_ENTER, TASK_ITER],
        Some(Mode::Blocked) => vec![SCHED_SWITCH, TASK_ITER],
        Some(Mode::Long) => vec![SCHED_SWITCH, WALK],
        None => vec![],
    }
}

/// Maps whose size nothing else decides. The kernel makes all maps of an object, also those of a probe that does not run.
const MAPS: [&str; 6] =
    ["SYSCALLS_LAYOUT", "SYSCALLS_FREE", "SYSCALLS_CLAIMS", "SYSCALLS_ERRNO", "SYSCALLS_SLOW", "SYSCALLS_CPU"];

/// Room for tasks: four times those that live now, because a busy host grows when it struggles.
const TASKS: std::ops::RangeInclusive<u32> = 16_384..=65_536;
/// Room for the full breakdown: (process, call) pairs.
const CALLERS: u32 = 16_384;

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    let Some(plan) = &plan.syscalls else { return MAPS.map(|map| (map, 1)).into() };
    if plan.mode == Mode::Long {
        return vec![("SYSCALLS_CPU", 1)];
    }
    let tasks = for_tests::entries("STILLWATCH_TASKS");
    let tasks = tasks.unwrap_or_else(|| (living_tasks() * 4).next_power_of_two().clamp(*TASKS.start(), *TASKS.end()));
    let callers = if plan.by.is_some() || plan.failing { CALLERS } else { 1 };
    vec![("SYSCALLS_CPU", processors), ("SYSCALLS_TASKS", tasks), ("SYSCALLS_CALLERS", callers)]
}

fn set(plan: &Plan, facts: &mut Facts) {
    let Some(plan) = &plan.syscalls else { return };
    facts.set(&facts::SYSCALLS_EXACT, u8::from(plan.mode == Mode::Exact));
    facts.set(&facts::SYSCALLS_BLOCKED, u8::from(plan.mode == Mode::Blocked));
    facts.set(&facts::SYSCALLS_LONG, u8::from(plan.mode == Mode::Long));
    facts.set(&facts::SYSCALLS_BY, u8::from(matches!(plan.by, Some(By::Process | By::Cgroup))));
    facts.set(&facts::SYSCALLS_FAILING, u8::from(plan.failing));
    facts.set(&facts::SYSCALLS_ERRORS, u8::from(plan.errors));
    let slow_ns = u64::try_from(plan.slow.as_nanos()).unwrap_or(u64::MAX);
    facts.set(&facts::SYSCALLS_SLOW_NS, if slow_ns == 0 { u64::MAX } else { slow_ns });
}

impl Read for Reader {
    type Plan = plan::Syscalls;
    type Part = sample::Syscalls;

    fn open(ebpf: &mut Ebpf, plan: &plan::Syscalls, with: &With) -> Result<Self, LoadError> {
        Self::new(ebpf, plan, with)
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Syscalls, Counters)> {
        let (mut sample, counters) = self.read(tick.now, tick.names)?;
        self.tidy(&mut sample, tick.names);
        Ok((sample, counters))
    }
}
