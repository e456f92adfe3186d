//! Who a number is: process id → command and cgroup, cgroup id → path.
//!
//! Every name is read when it is asked for and kept for one interval: process ids are used again, and a name kept
//! longer could be given to the wrong process. Names are as the host says them, with bytes that are not UTF-8 replaced
//! by U+FFFD; who prints them escapes them.
//!
//! Cost: about 10 µs per process and interval for each kind of name, paid only for those that are printed.

mod cgroup;
#[cfg(test)]
pub mod fake;
mod fuse;
mod host;

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};

pub use self::{
    cgroup::{CgroupError, find as find_cgroup},
    host::Host,
};
use crate::{
    kernel::features::FOREIGN,
    snapshot::who::{ENDED, NOT_IN_TIME},
};

/// Names kept at a time. A table shows some dozens; beyond this many, names are read again each time.
const KEPT: usize = 4096;

/// Processes whose cgroups are asked for at once.
const AT_ONCE: usize = 256;

/// It was not read in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

/// Who is asked. `None`: it is gone, or cannot be told.
pub trait Source {
    /// Begins an interval.
    fn tick(&mut self) {}

    /// Whether a number stands for the same process as to the kernel. If not, what is asked of a number is not known.
    fn has_kernel_s_numbers(&self) -> bool;

    /// Command name of a process (or, by its thread id, of a thread).
    fn comm(&self, pid: u32) -> Option<String>;

    /// Cgroups of processes, each as a path below the root of the hierarchy that says most; `/` is the root. `Err`: not read in time.
    fn cgroups(&self, pids: &[u32]) -> Result<Vec<Option<String>>, Late>;

    /// Command line of a process, the first bytes of it. `Err`: not read in time.
    fn cmdline(&self, pid: u32) -> Result<Option<String>, Late>;

    /// When a process started, since boot, with the time that the machine was suspended for.
    fn started(&self, pid: u32) -> Option<Duration>;

    /// Path of a cgroup2 cgroup by the id that the kernel knows it by, unless names come from another hierarchy. `Err`: not looked up
    /// in time, and so of those below.
    fn cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late>;

    /// Path of a cgroup that memory is charged to, by its id in that hierarchy, v1 or v2.
    fn memory_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late>;

    /// Path of a cgroup by its id in the hierarchy of I/O, v1 or v2.
    fn io_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late>;

    /// What a process's cgroup, or one above it, may use of a disk (blkio's throttle, `io.max`), if that is limited.
    fn io_limit(&self, pid: u32, disk: &str) -> Option<String>;

    /// How full the firewall's table of connections is in a network namespace (`None`: ours), where it has no room.
    fn connections_full(&mut self, netns: Option<u32>) -> Option<String>;

    /// Where the FUSE file system is mounted that a process waits for, if that is known, and which processes have its device open.
    fn file_server(&mut self, pid: u32) -> Option<(String, Vec<u32>)>;

    /// Path of the file behind a descriptor, as its process sees it, if it is that inode's.
    fn file(&self, pid: u32, fd: u32, inode: u64) -> Option<String>;

    /// Network interfaces of our namespace, by address.
    fn interfaces(&self) -> HashMap<IpAddr, String>;
}

/// Looks names up, and keeps them for an interval.
pub struct Names {
    source: Box<dyn Source>,
    asleep: Duration,
    comms: HashMap<u32, Option<String>>,
    paths: HashMap<u32, Result<Option<String>, Late>>,
    /// Read once in an interval, when the first is asked for.
    interfaces: Option<HashMap<IpAddr, String>>,
}

impl Names {
    pub fn new(source: impl Source + 'static) -> Self {
        let (comms, paths) = (HashMap::new(), HashMap::new());
        Self { source: Box::new(source), asleep: Duration::ZERO, comms, paths, interfaces: None }
    }

    /// Begins an interval: forgets what may have changed hands. `asleep`: as of [`Moment`](crate::sample::Moment).
    pub fn tick(&mut self, asleep: Duration) {
        self.asleep = asleep;
        self.comms.clear();
        self.paths.clear();
        self.interfaces = None;
        self.source.tick();
    }

    /// What happened since the tick may be the work of a process that has another name by now.
    pub fn forget_comms(&mut self) {
        self.comms.clear();
    }

    /// As of [`Source`], and so are those below.
    pub fn comm(&mut self, pid: u32) -> Option<String> {
        cached(&mut self.comms, pid, || self.source.comm(pid))
    }

    pub fn cgroup(&mut self, pid: u32) -> Option<String> {
        self.path(pid).ok().flatten()
    }

    fn path(&mut self, pid: u32) -> Result<Option<String>, Late> {
        cached(&mut self.paths, pid, || self.source.cgroups(&[pid])?.pop().ok_or(Late))
    }

    /// These processes' cgroups will be asked for: they are read together, which takes less than one after the other.
    pub fn prepare(&mut self, pids: impl IntoIterator<Item = u32>) {
        let room = KEPT.saturating_sub(self.paths.len());
        let new: BTreeSet<u32> = pids.into_iter().filter(|pid| !self.paths.contains_key(pid)).take(room).collect();
        let new: Vec<u32> = new.into_iter().collect();
        for pids in new.chunks(AT_ONCE) {
            match self.source.cgroups(pids) {
                Ok(paths) => self.paths.extend(pids.iter().copied().zip(paths.into_iter().map(Ok))),
                Err(late) => self.paths.extend(pids.iter().map(|&pid| (pid, Err(late)))),
            }
        }
    }

    pub fn cmdline(&self, pid: u32) -> Result<Option<String>, Late> {
        self.source.cmdline(pid)
    }

    pub fn has_kernel_s_numbers(&self) -> bool {
        self.source.has_kernel_s_numbers()
    }

    /// Why a process has no name, or no cgroup.
    pub fn why_none(&mut self, pid: u32) -> &'static str {
        match self.has_kernel_s_numbers() {
            false => FOREIGN,
            true if self.path(pid) == Err(Late) && self.comm(pid).is_some() => NOT_IN_TIME,
            true => ENDED,
        }
    }

    pub fn cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.source.cgroup_by_id(id)
    }

    pub fn io_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.source.io_cgroup_by_id(id)
    }

    pub fn memory_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.source.memory_cgroup_by_id(id)
    }

    pub fn io_limit(&self, pid: u32, disk: &str) -> Option<String> {
        self.source.io_limit(pid, disk)
    }

    pub fn connections_full(&mut self, netns: Option<u32>) -> Option<String> {
        self.source.connections_full(netns)
    }

    pub fn file_server(&mut self, pid: u32) -> Option<(String, Vec<u32>)> {
        self.source.file_server(pid)
    }

    pub fn file(&self, pid: u32, fd: u32, inode: u64) -> Option<String> {
        self.source.file(pid, fd, inode)
    }

    /// Name of the network interface that has this address, in our network namespace.
    pub fn interface(&mut self, address: IpAddr) -> Option<String> {
        self.interfaces.get_or_insert_with(|| self.source.interfaces()).get(&address.to_canonical()).cloned()
    }

    /// Whether the process with this id is the one that started then (in units of 2^20 ns, 32 bits of them): ids are used
    /// again. `None`: there is none.
    pub fn is_same(&self, pid: u32, started: u32) -> Option<bool> {
        let awake = self.source.started(pid)?.saturating_sub(self.asleep);
        // The source knows only hundredths of a second.
        let apart = ((awake.as_nanos() >> 20) as u32).wrapping_sub(started) as i32;
        Some(apart.abs() <= 16)
    }
}

fn cached<T: Clone>(names: &mut HashMap<u32, T>, pid: u32, read: impl FnOnce() -> T) -> T {
    if let Some(name) = names.get(&pid) {
        return name.clone();
    }
    let name = read();
    if names.len() < KEPT {
        names.insert(pid, name.clone());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded() {
        let mut kept = HashMap::new();
        for pid in 0..KEPT as u32 + 7 {
            assert_eq!(cached(&mut kept, pid, || pid.to_string()), pid.to_string());
        }
        assert_eq!(kept.len(), KEPT);
        let mut names = Names::new(fake::Fake::default());
        names.prepare(0..KEPT as u32 + 7);
        assert_eq!(names.paths.len(), KEPT);
    }

    #[test]
    fn a_process_is_told_from_another_with_its_number_by_when_it_started() {
        let process = ("a", "/", Duration::from_secs(3610));
        let mut names = Names::new(fake::Fake { processes: [(7, process)].into(), ..Default::default() });
        // Of these, an hour in suspend.
        names.tick(Duration::from_secs(3600));
        let started = |seconds: u64| ((seconds * 1_000_000_000) >> 20) as u32;
        assert_eq!([10, 11].map(|seconds| names.is_same(7, started(seconds))), [Some(true), Some(false)]);
        assert_eq!(names.is_same(8, started(10)), None);
    }
}
