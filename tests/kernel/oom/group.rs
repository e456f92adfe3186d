//! Cgroups with a limit, and processes that want more.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use super::super::{
    skip,
    workload::{Workload, remove_cgroup, rename},
};

pub const MIB: u64 = 1 << 20;

/// A cgroup of its own, removed at the end.
pub struct Group {
    pub dir: PathBuf,
    /// As the kernel has it.
    pub path: String,
}

/// Where memory is charged: the v1 controller's tree, or the unified one.
pub fn root() -> Result<(PathBuf, bool)> {
    let v1 = PathBuf::from("/sys/fs/cgroup/memory");
    if v1.join("memory.limit_in_bytes").exists() {
        return Ok((v1, false));
    }
    let v2 = PathBuf::from("/sys/fs/cgroup");
    let controllers = fs::read_to_string(v2.join("cgroup.subtree_control")).unwrap_or_default();
    if controllers.split_ascii_whitespace().any(|controller| controller == "memory") {
        return Ok((v2, true));
    }
    Err(skip("no memory controller here"))
}

pub fn is_v2() -> Result<bool> {
    Ok(root()?.1)
}

impl Group {
    /// `limit`: in bytes; `None`: none.
    pub fn new(name: &str, limit: Option<u64>) -> Result<Self> {
        let name = format!("stillwatch-{name}-{}", std::process::id());
        Self::at(root()?.0.join(&name), format!("/{name}"), limit)
    }

    pub fn below(&self, name: &str, limit: Option<u64>) -> Result<Self> {
        if is_v2()? {
            fs::write(self.dir.join("cgroup.subtree_control"), "+memory")?;
        }
        Self::at(self.dir.join(name), format!("{}/{name}", self.path), limit)
    }

    fn at(dir: PathBuf, path: String, limit: Option<u64>) -> Result<Self> {
        fs::create_dir(&dir).with_context(|| format!("making {}", dir.display()))?;
        let group = Self { dir, path };
        if let Some(limit) = limit {
            group.set(if is_v2()? { "memory.max" } else { "memory.limit_in_bytes" }, limit)?;
        }
        Ok(group)
    }

    pub fn set(&self, file: &str, value: impl ToString) -> Result<()> {
        let file = self.dir.join(file);
        fs::write(&file, value.to_string()).with_context(|| format!("writing {}", file.display()))
    }

    pub fn take_in(&self, process: &Workload) -> Result<()> {
        self.set("cgroup.procs", process.pid)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove_cgroup(&self.dir);
    }
}

/// A process of this name, in a cgroup, that holds so much memory once it is told to go, and reports.
pub fn holder(name: &'static std::ffi::CStr, bytes: u64, group: &Group) -> Result<Workload> {
    let process = Workload::new(move || {
        rename(name);
        hold(bytes);
        [0, 0]
    })?;
    // Other tests protect this process, and what it forks inherits that: nothing could be killed.
    fs::write(format!("/proc/{}/oom_score_adj", process.pid), "0")?;
    group.take_in(&process)?;
    Ok(process)
}

/// Anonymous memory of this process, which those that it forks share at first: theirs, and not charged to their cgroup.
pub fn inherited() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    Ok(kib.context("no RssAnon")?.trim().parse::<u64>()? * 1024)
}

/// Maps memory and writes to every page of it.
pub fn hold(bytes: u64) {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which stays until the process ends; every write is inside of it.
    unsafe {
        let map = || libc::mmap(std::ptr::null_mut(), bytes as usize, protection, flags, -1, 0);
        // A cgroup without room has none for what describes the mapping.
        let mut tries =
            (0..1000).map(|_| map()).skip_while(|&start| start == libc::MAP_FAILED && libc::usleep(10_000) == 0);
        let Some(start) = tries.next() else { libc::_exit(3) };
        libc::madvise(start, bytes as usize, libc::MADV_NOHUGEPAGE);
        for at in (0..bytes as usize).step_by(4096) {
            start.cast::<u8>().add(at).write_volatile(1);
        }
    }
}

/// Waits until a process of ours was killed.
pub fn is_killed(process: &Workload) -> Result<()> {
    // SAFETY: all zeros are a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: room for the result; the process stays to be reaped by its owner.
    let waited = unsafe { libc::waitid(libc::P_PID, process.pid, &mut info, libc::WEXITED | libc::WNOWAIT) };
    ensure!(waited == 0, "waitid: {}", std::io::Error::last_os_error());
    // SAFETY: filled by waitid.
    let status = unsafe { info.si_status() };
    ensure!(info.si_code == libc::CLD_KILLED && status == libc::SIGKILL, "ended otherwise: {} {status}", info.si_code);
    Ok(())
}
