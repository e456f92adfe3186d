//! The `disk` probe, seen from user space; `docs/probes/disk.md` has the whole story.

mod files;
mod filesystems;
pub mod find;

use aya::Ebpf;

use self::{files::Walks, filesystems::Filesystems};
use super::{Counters, Probe, Read, Tick, With};
use crate::{
    cli::plan::{self, Plan},
    kernel::loader::{Hook, LoadError},
    sample,
};

pub const PROBE: Probe = Probe { hooks, ..Probe::without_hooks("disk", "DISK_") };

/// Read at ticks.
const FILES: Hook = Hook::iter(FILE_ITER, "task_file", "files that grow or are deleted, and descriptors").later();
const FILE_ITER: &str = "file_iter";

fn hooks(plan: &Plan) -> Vec<Hook> {
    plan.disk.iter().map(|_| FILES).collect()
}

/// It loses nothing: what it looks at stays.
#[cfg(test)]
pub fn causes() -> Vec<&'static str> {
    Vec::new()
}

pub struct Reader {
    filesystems: Filesystems,
    walks: Walks,
}

impl Read for Reader {
    type Plan = plan::Disk;
    type Part = sample::Disk;

    fn open(ebpf: &mut Ebpf, plan: &plan::Disk, _: &With) -> Result<Self, LoadError> {
        Ok(Self { filesystems: Filesystems::default(), walks: Walks::new(ebpf, plan.rest)? })
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Disk, Counters)> {
        self.walks.look(tick.now.clock)?;
        let sample = sample::Disk {
            filesystems: self.filesystems.read(tick.now.clock),
            files: self.walks.last.clone(),
            no_files: self.walks.unavailable(),
            handles: files::of_host(),
        };
        Ok((sample, Counters::default()))
    }
}
