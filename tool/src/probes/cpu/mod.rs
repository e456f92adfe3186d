//! The `cpu` probe, seen from user space; `docs/probes/cpu.md` has the whole story.

mod host;
mod quota;
mod reader;
mod tasks;

pub use reader::Reader;
#[cfg(test)]
pub use reader::causes;

use aya::Ebpf;
use stillwatch_common::cpu::{BASES, SHARDS, SLEEPERS};

use super::{Counters, Probe, Read, Tick, With};
use crate::{
    cli::plan::{self, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{Hook, LoadError, SCHED_SWITCH},
    },
    sample,
    snapshot::syscalls::Mode,
};

pub const PROBE: Probe =
    Probe { per_processor: &["CPU_CPU"], hooks, entries, set, ..Probe::without_hooks("cpu", "CPU_") };

/// Read at ticks.
const WALK: Hook = Hook::iter(RUN_ITER, "task", "who runs, and who waits now").later();
const RUN_ITER: &str = "run_iter";

fn hooks(plan: &Plan) -> Vec<Hook> {
    match &plan.cpu {
        None => vec![],
        Some(plan) if plan.interrupts => {
            vec![WALK, MIGRATE, SCHED_SWITCH, SOFTIRQ_EXIT, SOFTIRQ_ENTRY, IRQ_EXIT, IRQ_ENTRY]
        }
        Some(_) => vec![WALK, MIGRATE, SCHED_SWITCH],
    }
}

const SOFTIRQ_ENTRY: Hook = Hook::tp_btf("softirq_entry", "time in softirqs").optional();
const SOFTIRQ_EXIT: Hook = Hook::tp_btf("softirq_exit", "time in softirqs").optional();
const IRQ_ENTRY: Hook = Hook::tp_btf("irq_handler_entry", "time in interrupts of devices").optional();
const IRQ_EXIT: Hook = Hook::tp_btf("irq_handler_exit", "time in interrupts of devices").optional();

/// Attached where tasks that sleep stay in their run queue: each migration costs an entry.
const MIGRATE: Hook = Hook::tp_btf("sched_migrate_task", "telling sleeps from waits").optional().later();

/// Interrupts of devices, by number.
const IRQS: u32 = 1024;

/// Tasks that were stamped as waiting while they slept.
const STALE: u32 = 512;
/// Processes with waits over the threshold.
const WAITED: u32 = 512;
/// Pairs of such a process and one that had the CPU meanwhile.
const BEHIND: u32 = 1024;
/// Processes times octaves of their waits, where asked for.
const BY: u32 = 8192;
/// Tasks that end between two ticks: one for each of those that are older than the interval, and one per name and cgroup.
const ENDED: u32 = 512;

/// Who asks how long tasks sleep.
fn looks_at_sleeps(plan: &Plan) -> bool {
    plan.syscalls.as_ref().is_some_and(|plan| plan.mode == Mode::Long)
}

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    let sleepers = if looks_at_sleeps(plan) { SLEEPERS as u32 } else { 1 };
    let Some(plan) = &plan.cpu else { return vec![("CPU_CPU", 1)] };
    vec![
        ("CPU_INTERRUPTS", if plan.interrupts { processors } else { 1 }),
        ("CPU_IRQS", if plan.interrupts { IRQS } else { 1 }),
        ("CPU_CPU", processors),
        ("CPU_SHARDS", SHARDS as u32),
        ("CPU_BASES", BASES as u32),
        ("CPU_STALE", STALE),
        ("CPU_SLEEPERS", sleepers),
        ("CPU_WAITED", for_tests::entries("STILLWATCH_WAITED").unwrap_or(WAITED)),
        ("CPU_BEHIND", BEHIND),
        ("CPU_BY_OWNER", if plan.by.is_some() { for_tests::entries("STILLWATCH_BY").unwrap_or(BY) } else { 1 }),
        ("CPU_ENDED", for_tests::entries("STILLWATCH_ENDED").unwrap_or(ENDED)),
    ]
}

fn set(plan: &Plan, facts: &mut Facts) {
    if looks_at_sleeps(plan) {
        facts.set(&facts::CPU_SLEEPS, 1);
    }
    let Some(plan) = &plan.cpu else { return };
    facts.set(&facts::CPU_TIMES, 1);
    facts.set(&facts::CPU_BY, plan.by.is_some().into());
    // Where the number is not known, sharing is right.
    let processors = aya::util::nr_cpus().unwrap_or(usize::MAX);
    facts.set(&facts::CPU_SHARED_HISTOGRAMS, (processors > SHARDS).into());
    facts.set(&facts::CPU_SLOW_NS, u64::try_from(plan.slow.as_nanos()).unwrap_or(u64::MAX));
}

impl Read for Reader {
    type Plan = plan::Cpu;
    type Part = sample::Cpu;

    fn open(ebpf: &mut Ebpf, plan: &plan::Cpu, with: &With) -> Result<Self, LoadError> {
        Self::new(ebpf, plan, with)
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Cpu, Counters)> {
        self.read(tick.now)
    }
}
