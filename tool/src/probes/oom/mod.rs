//! The `oom` probe, seen from user space; `docs/probes/oom.md` has the whole story.

pub mod last;
mod lead_up;
mod meminfo;
mod reader;
mod stories;
mod survival;

pub use reader::Reader;
#[cfg(test)]
pub use reader::causes;

use aya::Ebpf;

use super::{Counters, Probe, Read, Tick, With};
use crate::{
    cli::plan::{self, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{Hook, LoadError, SCHED_SWITCH},
    },
    sample,
};

pub const PROBE: Probe =
    Probe { per_processor: &["OOM_CPU"], hooks, entries, set, ..Probe::without_hooks("oom", "OOM_") };

const MARK: Hook = Hook::tp_btf("mark_victim", "kills");
const REAPED: Hook = Hook::tp_btf("finish_task_reaping", "when a victim's memory was taken away").optional();
const EXIT: Hook = Hook::tp_btf("sched_process_exit", "when a victim ended").optional();
const FREED: Hook =
    Hook::tp_btf("exit_mmap", "when all of a victim's memory was free, where its end is not that").optional();
const SIGNAL: Hook = Hook::tp_btf("signal_generate", "processes killed by others").optional();
/// In pairs.
const WAITS: [Hook; 6] = [
    Hook::tp_btf("mm_vmscan_direct_reclaim_begin", "waits for free memory of the host").optional(),
    Hook::tp_btf("mm_vmscan_direct_reclaim_end", "waits for free memory of the host").optional(),
    Hook::tp_btf("mm_vmscan_memcg_reclaim_begin", "waits at a cgroup's limit").optional(),
    Hook::tp_btf("mm_vmscan_memcg_reclaim_end", "waits at a cgroup's limit").optional(),
    Hook::tp_btf("mm_compaction_begin", "waits for pages side by side").optional(),
    Hook::tp_btf("mm_compaction_end", "waits for pages side by side").optional(),
];
const SWITCH: Hook = Hook { needed_for: "waits for swap and at memory.high", optional: true, ..SCHED_SWITCH };
const RESIDENTS: Hook = Hook::iter(MEMORY_ITER, "task", "what memory processes hold").later();
const MEMORY_ITER: &str = "memory_iter";

fn hooks(plan: &Plan) -> Vec<Hook> {
    let Some(oom) = &plan.oom else { return vec![] };
    let mut hooks = vec![REAPED, FREED, EXIT, MARK];
    hooks.extend(WAITS);
    if oom.sleeps {
        hooks.push(SWITCH);
    }
    if oom.signals {
        hooks.push(SIGNAL);
    }
    hooks.push(RESIDENTS);
    hooks
}

/// Tasks that wait for memory at the same time.
const TASKS: u32 = 1024;
/// Processes that waited, times kinds and octaves.
const STALLS: u32 = 2048;
/// Victims whose memory is not free yet.
const VICTIMS: u32 = 256;
const EVENT_BYTES: u32 = 64 << 10;

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    if plan.oom.is_none() {
        return vec![("OOM_CPU", 1)];
    }
    vec![
        ("OOM_CPU", processors),
        ("OOM_TASKS", TASKS),
        ("OOM_STALLS", for_tests::entries("STILLWATCH_STALLS").unwrap_or(STALLS)),
        ("OOM_VICTIMS", VICTIMS),
        ("OOM_EVENTS", EVENT_BYTES),
    ]
}

fn set(plan: &Plan, facts: &mut Facts) {
    if let Some(oom) = &plan.oom {
        facts.set(&facts::OOM_SLEEPS, oom.sleeps.into());
    }
}

impl Read for Reader {
    type Plan = plan::Oom;
    type Part = sample::Oom;

    fn open(ebpf: &mut Ebpf, plan: &plan::Oom, with: &With) -> Result<Self, LoadError> {
        Self::new(ebpf, plan, with)
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Oom, Counters)> {
        self.record(tick.names, tick.now.clock);
        self.read(tick.now.ns(), tick.last)
    }
}
