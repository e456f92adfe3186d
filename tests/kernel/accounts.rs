//! What the kernel itself counts of processes.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::workload::{Workload, remove_cgroup};

/// Directories of a process's threads.
fn threads(pid: u32) -> Result<Vec<PathBuf>> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.flatten().map(|entry| entry.path()).collect())
}

/// A field of `stat`, by the number that it has in the kernel's documentation.
fn stat(thread: &Path, field: usize) -> Result<u64> {
    let text = fs::read_to_string(thread.join("stat"))?;
    // The name may hold anything; what follows it is field 3.
    let (_, rest) = text.rsplit_once(") ").context("no name")?;
    Ok(rest.split_ascii_whitespace().nth(field - 3).context("no such field")?.parse()?)
}

/// Time that each thread of a process has been in run queues: of all processes, those apart that are meant to wait (nice 19), and threads
/// of the kernel.
pub fn run_queues() -> Result<HashMap<PathBuf, u64>> {
    const FLAGS: usize = 9;
    const KERNEL_THREAD: u64 = 0x20_0000;
    const NICE: usize = 19;
    let waited = |thread: &Path| -> Result<Option<u64>> {
        let text = fs::read_to_string(thread.join("schedstat"))?;
        let waited = text.split_ascii_whitespace().nth(1).context("no wait")?.parse()?;
        let is_meant_to = stat(thread, FLAGS)? & KERNEL_THREAD != 0 || stat(thread, NICE).is_ok_and(|nice| nice == 19);
        Ok(Some(waited).filter(|_| !is_meant_to))
    };
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    // One that has ended meanwhile has no files any more.
    let threads = pids.flat_map(|pid| threads(pid).unwrap_or_default());
    Ok(threads.filter_map(|thread| Some((waited(&thread).ok()??, thread))).map(|(ns, thread)| (thread, ns)).collect())
}

/// A cgroup of some processes in the unified tree, for the kernel's account of their pressure: that is there without any controller.
pub struct PressureGroup {
    pub dir: PathBuf,
}

impl PressureGroup {
    /// `None`: no unified tree, or no pressure.
    pub fn of(processes: &[&Workload]) -> Result<Option<Self>> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let Some(unified) = mounts.lines().map(fields).find(|fields| fields[2] == "cgroup2") else { return Ok(None) };
        let group = Self { dir: Path::new(&unified[1]).join(format!("stillwatch-pressure-{}", std::process::id())) };
        fs::create_dir(&group.dir)?;
        if pressure_ns(&group.dir, "io").is_err() {
            return Ok(None);
        }
        for process in processes {
            fs::write(group.dir.join("cgroup.procs"), process.pid.to_string())?;
        }
        Ok(Some(group))
    }
}

impl Drop for PressureGroup {
    fn drop(&mut self) {
        remove_cgroup(&self.dir);
    }
}

/// Time in which a task of a cgroup, at least, was stalled.
pub fn pressure_ns(cgroup: &Path, resource: &str) -> Result<u64> {
    let text = fs::read_to_string(cgroup.join(format!("{resource}.pressure")))?;
    let some = text.lines().find(|line| line.starts_with("some")).context("no line")?;
    Ok(some.rsplit_once("total=").context("no total")?.1.trim().parse::<u64>()? * 1000)
}

/// Time in which a disk had a request, as `/proc/diskstats` has it.
pub fn busy_ns(disk: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/diskstats")?;
    let fields = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let own = fields.into_iter().find(|fields| fields.get(2) == Some(&disk)).context("no such disk")?;
    Ok(own.get(12).context("no time")?.parse::<u64>()? * 1_000_000)
}
