//! The `disk` probe, seen from user space; `docs/probes/disk.md` has the whole story.

mod files;
mod filesystems;
pub mod find;
mod writers;

use aya::Ebpf;

use self::{files::Walks, filesystems::Filesystems, writers::Writers};
use super::{Counters, Probe, Read, Tick, With, page_bytes};
use crate::{
    cli::plan::{self, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{DIRTY, Hook, LoadError},
    },
    sample,
};

pub const PROBE: Probe =
    Probe { hooks, entries, set, per_processor: &["DISK_TURNS"], ..Probe::without_hooks("disk", "DISK_") };

/// Read at ticks.
const FILES: Hook = Hook::iter(FILE_ITER, "task_file", "files that grow or are deleted, and descriptors").later();
const FILE_ITER: &str = "file_iter";

fn hooks(plan: &Plan) -> Vec<Hook> {
    let dirty = writers(plan).then_some(Hook { needed_for: "who writes to files that several share", ..DIRTY });
    plan.disk.iter().map(|_| FILES).chain(dirty).collect()
}

fn writers(plan: &Plan) -> bool {
    plan.disk.as_ref().is_some_and(|disk| disk.writers)
}

/// Files and processes that write to them, between two ticks.
const DIRTIED: u32 = 8192;
/// Directories that have new files, between two walks.
const DIRECTORIES: u32 = 512;

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    let some = |entries: u32| if writers(plan) { entries } else { 1 };
    vec![
        ("DISK_TURNS", some(processors)),
        ("DISK_DIRTIED", some(for_tests::entries("STILLWATCH_DIRTIED").unwrap_or(DIRTIED))),
        ("DISK_DIRECTORIES", some(DIRECTORIES)),
    ]
}

fn set(plan: &Plan, facts: &mut Facts) {
    if writers(plan) {
        facts.set(&facts::DISK_WRITERS, 1);
        facts.set(&facts::PAGE_BYTES, page_bytes());
    }
}

/// What it looks at stays, but for what is written.
#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    vec![writers::LOST]
}

pub struct Reader {
    filesystems: Filesystems,
    walks: Walks,
    writers: Option<Writers>,
}

impl Read for Reader {
    type Plan = plan::Disk;
    type Part = sample::Disk;

    fn open(ebpf: &mut Ebpf, plan: &plan::Disk, with: &With) -> Result<Self, LoadError> {
        let writers = plan.writers && with.why_not(DIRTY.name).is_none();
        let writers = if writers { Some(Writers::new(ebpf, with.processors)?) } else { None };
        Ok(Self { filesystems: Filesystems::default(), walks: Walks::new(ebpf, plan.rest)?, writers })
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Disk, Counters)> {
        if let Some(writers) = &mut self.writers {
            writers.look()?;
        }
        self.walks.look(tick.now.clock, self.writers.as_mut())?;
        let sample = sample::Disk {
            filesystems: self.filesystems.read(tick.now.clock),
            files: self.walks.last.clone(),
            no_files: self.walks.unavailable(),
            handles: files::of_host(),
        };
        Ok((sample, self.writers.as_ref().map(Writers::counters).unwrap_or_default()))
    }
}
