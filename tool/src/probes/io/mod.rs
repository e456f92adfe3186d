//! The `io` probe, seen from user space; `docs/probes/io.md` has the whole story.

mod devices;
mod missed;
mod reader;
mod unseen;
mod waiting;

pub use reader::Reader;
#[cfg(test)]
pub use reader::causes;

use aya::Ebpf;
use stillwatch_common::io::{DIRTY_TABLES, MAKING};

use super::{Counters, Probe, Read, Tick, With, living_tasks, page_bytes};
use crate::{
    cli::plan::{self, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{DIRTY, Hook, LoadError, SCHED_SWITCH, TASK_ITER},
    },
    sample,
};

pub const PROBE: Probe = Probe { per_processor: &["IO_CPU"], hooks, entries, set, ..Probe::without_hooks("io", "IO_") };

const COMPLETE: Hook = Hook::tp_btf("block_rq_complete", "requests that devices complete");
const INSERT: Hook = Hook::tp_btf("block_rq_insert", "requests that wait in a queue");
const ISSUE: Hook = Hook::tp_btf("block_rq_issue", "requests in flight and their owners");
const MERGE: Hook = Hook::tp_btf("block_rq_merge", "telling merged requests from stuck ones").optional();
const GETRQ: Hook = Hook::tp_btf("block_getrq", "owners of requests").optional();
const WAKING: Hook = Hook::tp_btf("sched_waking", "tasks that are stalled");
/// Attached once there is a device without a request queue.
const BIO_QUEUE: Hook =
    Hook::tp_btf("block_bio_queue", "devices without a request queue: dm, md, zram").optional().later();
const BIO_COMPLETE: Hook =
    Hook::tp_btf("block_bio_complete", "devices without a request queue: dm, md, zram").optional().later();

/// What ends something before what begins it: nothing is noted that nobody takes away again.
fn hooks(plan: &Plan) -> Vec<Hook> {
    match &plan.io {
        None => vec![],
        Some(plan) if plan.devices_only => vec![COMPLETE],
        Some(_) => {
            vec![COMPLETE, MERGE, ISSUE, INSERT, GETRQ, DIRTY, WAKING, SCHED_SWITCH, TASK_ITER, BIO_COMPLETE, BIO_QUEUE]
        }
    }
}

/// Requests in flight: beyond what the queues of some dozens of fast devices hold.
const REQUESTS: u32 = 8192;
/// Processes that own requests, whose names are kept.
const OWNERS: u32 = 4096;
/// (owner, device, how) and (process, reason, device): more than a person can read.
const ACCOUNTS: u32 = 4096;
/// Distinct stacks of long waits, and of those who ended them.
const STACKS: u32 = 512;
const TASKS: std::ops::RangeInclusive<u32> = 4096..=32_768;
const SLOW_BYTES: u32 = 256 << 10;

/// Maps whose size nothing else decides. The kernel makes all maps of an object, also those of a probe that does not run.
const MAPS: [&str; 6] = ["IO_SHARDS", "IO_FREE_ROWS", "IO_FREE_CELLS", "IO_ROWS", "IO_CELLS", "IO_FLUSHES"];

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    let who = plan.io.as_ref().is_some_and(|plan| !plan.devices_only);
    let devices = plan.io.is_some();
    let some = |entries: u32| if who { entries } else { 1 };
    let tasks = (living_tasks() * 2).next_power_of_two().clamp(*TASKS.start(), *TASKS.end());
    let mut entries = vec![
        ("IO_CPU", if devices { processors } else { 1 }),
        ("IO_REQUESTS", some(for_tests::entries("STILLWATCH_REQUESTS").unwrap_or(REQUESTS))),
        ("IO_OWNERS", some(OWNERS)),
        ("IO_MAKING", some(MAKING as u32)),
        ("IO_DIRTY", some(for_tests::entries("STILLWATCH_DIRTY").unwrap_or(DIRTY_TABLES as u32))),
        ("IO_CAUSES", some(ACCOUNTS)),
        ("IO_TASKS", some(tasks)),
        ("IO_STALLS", some(ACCOUNTS)),
        ("IO_STACKS", some(STACKS)),
    ];
    if plan.io.as_ref().is_some_and(|plan| plan.slow.is_some()) {
        entries.push(("IO_SLOW", SLOW_BYTES));
    }
    if !devices {
        entries.extend(MAPS.map(|map| (map, 1)));
    }
    entries
}

fn set(plan: &Plan, facts: &mut Facts) {
    let Some(plan) = &plan.io else { return };
    let ns = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    facts.set(&facts::PAGE_BYTES, page_bytes());
    facts.set(&facts::TICK_NS, tick_ns());
    facts.set(&facts::IO_WHO, u8::from(!plan.devices_only));
    facts.set(&facts::IO_STALL_NS, ns(plan.stall));
    facts.set(&facts::IO_SLOW_NS, plan.slow.map_or(u64::MAX, ns));
}

/// Between two jiffies: the clocks that are as coarse as these say so.
fn tick_ns() -> u64 {
    let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    tick.tv_nsec as u64
}

impl Read for Reader {
    type Plan = plan::Io;
    type Part = sample::Io;

    fn open(ebpf: &mut Ebpf, plan: &plan::Io, with: &With) -> Result<Self, LoadError> {
        Self::new(ebpf, plan, with.processors)
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Io, Counters)> {
        self.read(tick.ebpf, tick.now)
    }
}
