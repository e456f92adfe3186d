//! Who a number is: process id → command and cgroup, cgroup id → path.
//!
//! Every name is read when it is asked for and kept for one interval: process ids are used again, and a name kept
//! longer could be given to the wrong process. Names are as the host says them, with bytes that are not UTF-8 replaced
//! by U+FFFD; who prints them escapes them.
//!
//! Cost: about 10 µs per process and interval for each kind of name, paid only for those that are printed.

mod cgroup;

use std::{
    collections::HashMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use cgroup::CgroupError;

use crate::kernel::features::{Cgroups, Features};
use cgroup::Ids;

/// Names kept at a time. A table shows some dozens; beyond this many, names are read again each time.
const KEPT: usize = 4096;

/// Looks names up.
pub struct Names {
    cgroups: Cgroups,
    asleep: Duration,
    comms: HashMap<u32, Option<String>>,
    paths: HashMap<u32, Option<String>>,
    /// By address; read once in an interval, when the first is asked for.
    interfaces: Option<HashMap<IpAddr, String>>,
    ids: Ids,
    /// Of the hierarchy that memory is charged in.
    memory_ids: Ids,
}

impl Names {
    pub fn new(features: &Features) -> Self {
        let cgroups = features.cgroups.clone();
        // On a hybrid host every process may be in the root of the unified hierarchy: a name, but a wrong one.
        let unified = cgroups.naming().filter(|hierarchy| hierarchy.is_v2()).cloned();
        let memory_ids = Ids::new(cgroups.memory().cloned());
        Self {
            asleep: Duration::ZERO,
            comms: HashMap::new(),
            paths: HashMap::new(),
            interfaces: None,
            ids: Ids::new(unified),
            memory_ids,
            cgroups,
        }
    }

    /// Begins an interval: forgets what may have changed hands. `asleep`: as of [`Moment`](crate::sample::Moment).
    pub fn tick(&mut self, asleep: Duration) {
        self.asleep = asleep;
        self.comms.clear();
        self.paths.clear();
        self.interfaces = None;
        self.ids.tick();
        self.memory_ids.tick();
    }

    /// Command name of a process (or, by its thread id, of a thread). `None`: it is gone.
    pub fn comm(&mut self, pid: u32) -> Option<String> {
        cached(&mut self.comms, pid, || {
            let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
            Some(String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned())
        })
    }

    /// Name of the network interface that has this address, in our network namespace.
    pub fn interface(&mut self, address: IpAddr) -> Option<String> {
        self.interfaces.get_or_insert_with(interfaces).get(&address.to_canonical()).cloned()
    }

    /// Cgroup of a process, as a path below the root of the hierarchy that says most on this machine; `/` is the
    /// root. `None`: the process is gone, or there are no cgroups.
    pub fn cgroup(&mut self, pid: u32) -> Option<String> {
        let hierarchy = self.cgroups.naming()?;
        cached(&mut self.paths, pid, || {
            let bytes = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
            let path = hierarchy.path_in(&String::from_utf8_lossy(&bytes))?.to_owned();
            // The kernel says so of a process that has outlived its cgroup.
            Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
        })
    }

    /// Path of a cgroup2 cgroup by the id that the kernel knows it by. `None`: it is gone, or names come from
    /// another hierarchy.
    pub fn cgroup_by_id(&mut self, id: u64) -> Option<String> {
        self.ids.path(id)
    }

    /// Path of a cgroup that memory is charged to, by its id in that hierarchy, v1 or v2. `None`: it is gone.
    pub fn memory_cgroup_by_id(&mut self, id: u64) -> Option<String> {
        self.memory_ids.path(id)
    }

    /// Whether such a path is a directory's, or below it. `None`: that is one of another hierarchy.
    pub fn is_memory_path_below(&self, path: &str, directory: &Path) -> Option<bool> {
        let memory = self.cgroups.memory()?;
        (self.cgroups.of_dir(directory)? == memory).then(|| memory.dir(path).starts_with(directory))
    }

    /// The directory of the cgroup that an operator means: a path below the root of a hierarchy, the directory itself,
    /// or the name of a unit (with or without `.service`) that is in one place only.
    ///
    /// On hosts with several hierarchies the one that gives names is asked first; [`Cgroups::of_dir`] tells which one
    /// it was.
    pub fn cgroup_dir(&self, given: &str) -> Result<PathBuf, CgroupError> {
        cgroup::find_dir(&self.cgroups, given)
    }

    /// Whether a process is (still) in a cgroup or below it. `None`: it is gone.
    pub fn is_below(&self, pid: u32, directory: &Path) -> Option<bool> {
        let hierarchy = self.cgroups.of_dir(directory)?;
        let file = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
        let path = hierarchy.path_in(&String::from_utf8_lossy(&file))?.to_owned();
        Some(hierarchy.dir(&path).starts_with(directory))
    }

    /// The same for the id that the kernel noted of a process that is gone.
    pub fn is_cgroup_below(&mut self, id: u64, directory: &Path) -> Option<bool> {
        let path = self.ids.path(id)?;
        Some(self.cgroups.v2()?.dir(&path).starts_with(directory))
    }

    /// Whether the process with this id is the one that started then (in units of 2^20 ns, 32 bits of them): ids are used
    /// again. `None`: there is none.
    pub fn is_same(&self, pid: u32, started: u32) -> Option<bool> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
        // /proc counts the time asleep, too, and only hundredths of a second.
        let ns = ticks.checked_mul(1_000_000_000 / ticks_per_second())?.saturating_sub(self.asleep.as_nanos() as u64);
        let apart = ((ns >> 20) as u32).wrapping_sub(started) as i32;
        Some(apart.abs() <= 16)
    }

    /// Whether there is a process of this id that can still run. A thread's id is not a process's, and a zombie only
    /// waits for its parent.
    pub fn is_alive(pid: u32) -> bool {
        let Ok(status) = fs::read(format!("/proc/{pid}/status")) else { return false };
        let status = String::from_utf8_lossy(&status);
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let ended = field("State:").is_none_or(|state| state.starts_with(['Z', 'X']));
        !ended && field("Tgid:") == Some(pid.to_string().as_str())
    }

    /// Whether a thread that sleeps in a `read`-like call (the file is its first argument) waits for somebody else by
    /// design: for a pipe, a socket, a terminal, an event. Files, directories and disks are not supposed to make it
    /// wait. `None`: not readable, or the thread has moved on.
    ///
    /// Nothing is asked of the file itself, which may lie on the very file system that hangs: a FIFO outside `/dev`
    /// therefore counts as a file.
    pub fn waits_by_design(&self, pid: u32, tid: u32) -> Option<bool> {
        let call = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
        let argument = call.split_ascii_whitespace().nth(1)?.strip_prefix("0x")?;
        // The register is 64 bits wide, the descriptor 32.
        let descriptor = u64::from_str_radix(argument, 16).ok()? as u32;
        let target = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        Some(is_waited_on(&target.to_string_lossy()))
    }
}

fn ticks_per_second() -> u64 {
    // SAFETY: no precondition.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

fn interfaces() -> HashMap<IpAddr, String> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let one = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        let v6 = || address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip()));
        Some((v4.or_else(v6)?, interface.interface_name))
    };
    all.filter_map(one).collect()
}

fn is_waited_on(target: &str) -> bool {
    if ["pipe:", "socket:", "anon_inode:"].iter().any(|kind| target.starts_with(kind)) {
        return true;
    }
    use std::os::unix::fs::FileTypeExt;
    // devtmpfs and devpts live in memory: asking does not hang.
    let is_device = |kind: fs::FileType| kind.is_char_device() || kind.is_fifo() || kind.is_socket();
    target.starts_with("/dev/")
        && !target.starts_with("/dev/shm/")
        && fs::symlink_metadata(target).is_ok_and(|file| is_device(file.file_type()))
}

fn cached(names: &mut HashMap<u32, Option<String>>, pid: u32, read: impl FnOnce() -> Option<String>) -> Option<String> {
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
    use std::{io::Read, os::fd::AsRawFd, process, thread};

    fn names() -> Names {
        Names::new(&Features::read())
    }

    #[test]
    fn this_process_has_a_name() {
        let (mut names, pid) = (names(), process::id());
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(names.comm(pid).as_deref(), Some(comm.trim_end()));
        if Cgroups::read().naming().is_some() {
            assert!(names.cgroup(pid).unwrap().starts_with('/'));
        }
    }

    #[test]
    fn an_ended_process_keeps_no_name() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let (mut names, pid) = (names(), child.id());
        // Until exec the child carries our name.
        while names.comm(pid).as_deref() != Some("sleep") {
            names.tick(Duration::ZERO);
        }
        assert!(Names::is_alive(pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!Names::is_alive(pid));
        assert_eq!(names.comm(pid).as_deref(), Some("sleep"), "within the interval the name is kept");
        names.tick(Duration::ZERO);
        assert_eq!((names.comm(pid), names.cgroup(pid)), (None, None));
    }

    #[test]
    fn a_thread_is_not_a_process() {
        // SAFETY: gettid has no arguments and can't fail.
        let tid = thread::spawn(|| (Names::is_alive(process::id()), Names::is_alive(unsafe { libc::gettid() } as u32)));
        assert_eq!(tid.join().unwrap(), (true, false));
        assert!(!Names::is_alive(u32::MAX));
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut kept = HashMap::new();
        for pid in 0..KEPT as u32 + 7 {
            assert_eq!(cached(&mut kept, pid, || Some(pid.to_string())), Some(pid.to_string()));
        }
        assert_eq!(kept.len(), KEPT);
    }

    #[test]
    fn reading_a_pipe_waits_by_design() {
        let (names, (mut reader, writer)) = (names(), std::io::pipe().unwrap());
        let (send, receive) = std::sync::mpsc::channel();
        let waiting = thread::spawn(move || {
            // SAFETY: gettid has no arguments and can't fail.
            send.send((unsafe { libc::gettid() } as u32, reader.as_raw_fd())).unwrap();
            let _ = reader.read(&mut [0]);
        });
        let (tid, _) = receive.recv().unwrap();
        let mut answer = None;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(2));
            answer = names.waits_by_design(process::id(), tid);
            if answer.is_some() {
                break;
            }
        }
        drop(writer);
        waiting.join().unwrap();
        match answer {
            None => eprintln!("skipped: /proc/PID/syscall is not readable here"),
            answer => assert_eq!(answer, Some(true)),
        }
        assert_eq!(names.waits_by_design(u32::MAX, u32::MAX), None);
    }

    #[test]
    fn kinds_of_files() {
        for (target, waited_on) in [
            ("pipe:[123]", true),
            ("socket:[9]", true),
            ("anon_inode:[eventfd]", true),
            ("/dev/null", true),
            ("/dev/shm/x", false),
            ("/proc/self/stat", false),
            ("/", false),
            ("/gone (deleted)", false),
        ] {
            assert_eq!(is_waited_on(target), waited_on, "{target}");
        }
    }
}
