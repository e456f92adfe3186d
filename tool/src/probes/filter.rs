//! `-p`, `--comm` and `-c`, as the programs check them; mirrors `tool-ebpf/src/probes/filter.rs`.

use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use aya::Ebpf;

use crate::{
    cli::plan::{Cgroup, Filter},
    kernel::{
        btf::KernelBtf,
        facts::{self, Facts},
        features::Features,
    },
};

/// Turns the filter into facts for the programs.
pub fn set(filter: &Filter, facts: &mut Facts, btf: &KernelBtf, features: &Features) -> Result<()> {
    match filter.pids[..] {
        [] => {}
        [pid] => {
            facts.set(&facts::FILTER_PIDS, 1);
            facts.set(&facts::FILTER_TGID, pid);
        }
        _ => facts.set(&facts::FILTER_PIDS, 2),
    }
    if let Some(comm) = &filter.comm {
        let mut bytes = [0; 16];
        bytes[..comm.len().min(15)].copy_from_slice(&comm.as_bytes()[..comm.len().min(15)]);
        let (low, high) = bytes.split_at(8);
        facts.set(&facts::FILTER_COMM, 1);
        facts.set(&facts::FILTER_COMM_0, u64::from_ne_bytes(low.try_into()?));
        facts.set(&facts::FILTER_COMM_1, u64::from_ne_bytes(high.try_into()?));
    }
    if let Some(Cgroup { dir, .. }) = &filter.cgroup {
        anyhow::ensure!(
            facts.has(&facts::TASK_CGROUPS),
            "this kernel's BTF does not say where a task keeps its cgroup"
        );
        match features.cgroups.of_dir(dir) {
            Some(hierarchy) if !hierarchy.is_v2() => {
                let controller = hierarchy.controllers.split(',').next().unwrap_or_default();
                facts
                    .filter_by_controller(btf, controller)
                    .with_context(|| format!("can't filter by a cgroup of the v1 hierarchy '{controller}'"))?;
            }
            _ => {}
        }
        // A cgroup's kernfs id is the inode number of its directory.
        let id = dir.metadata().with_context(|| format!("cgroup {}", dir.display()))?.ino();
        facts.set(&facts::FILTER_CGROUP, id);
    }
    Ok(())
}

/// Fills the map of processes, where there are several.
pub fn fill(filter: &Filter, ebpf: &mut Ebpf) -> Result<()> {
    if filter.pids.len() < 2 {
        return Ok(());
    }
    let map = ebpf.map_mut("FILTER_TGIDS").context("the compiled object has no FILTER_TGIDS")?;
    let mut map = aya::maps::HashMap::<_, u32, u8>::try_from(map)?;
    for &pid in &filter.pids {
        map.insert(pid, 1, 0).context("more processes than -p takes: 64")?;
    }
    Ok(())
}
