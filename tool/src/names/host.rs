//! This host, from `/proc` and the cgroup file systems.

use std::{collections::HashMap, fs, net::IpAddr, path::Path, time::Duration};

use super::{Late, Source, cgroup::Ids, fuse::Servers};
use crate::{
    cli::plan::Filter,
    kernel::{
        features::{Features, Hierarchy},
        in_time::in_time,
        namespaces::inhabitants,
    },
};

/// Of a command line, for processes that will be gone when it is shown.
const CMDLINE: usize = 512;

/// The host that we run on.
pub struct Host {
    /// `/proc` is that of a pid namespace of its own.
    foreign: bool,
    naming: Option<Hierarchy>,
    ids: Ids,
    /// Of the hierarchy that memory is charged in.
    memory_ids: Ids,
    /// In which disks are limited.
    io: Option<Hierarchy>,
    io_ids: Ids,
    servers: Servers,
    /// A process in each network namespace, as far as was looked; walked over once in an interval, when the first is asked for.
    inhabitants: Option<HashMap<u32, u32>>,
}

impl Host {
    /// Where a cgroup was asked for, names are from its hierarchy.
    pub fn new(features: &Features, filter: &Filter) -> Self {
        let cgroups = &features.cgroups;
        let wanted = filter.cgroup.as_ref().and_then(|cgroup| cgroups.of_dir(&cgroup.dir));
        let naming = wanted.or_else(|| cgroups.naming()).cloned();
        // On a hybrid host every process may be in the root of the unified hierarchy: a name, but a wrong one.
        let unified = naming.clone().filter(Hierarchy::is_v2);
        let foreign = features.privileges.first_pid_namespace == Some(false);
        let (memory_ids, io) = (Ids::new(cgroups.memory().cloned()), cgroups.io().cloned());
        let (ids, io_ids, servers) = (Ids::new(unified), Ids::new(io.clone()), Servers::default());
        Self { foreign, naming, ids, memory_ids, io, io_ids, servers, inhabitants: None }
    }

    /// What `/proc` says of a process.
    fn read(&self, pid: u32, what: &str) -> Option<Vec<u8>> {
        if self.foreign { None } else { fs::read(format!("/proc/{pid}/{what}")).ok() }
    }
}

impl Source for Host {
    fn tick(&mut self) {
        self.ids.tick();
        self.memory_ids.tick();
        self.io_ids.tick();
        self.servers.tick();
        self.inhabitants = None;
    }

    fn has_kernel_s_numbers(&self) -> bool {
        !self.foreign
    }

    fn comm(&self, pid: u32) -> Option<String> {
        let bytes = self.read(pid, "comm")?;
        Some(String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned())
    }

    fn cgroups(&self, pids: &[u32]) -> Result<Vec<Option<String>>, Late> {
        let Some(hierarchy) = self.naming.clone().filter(|_| !self.foreign) else { return Ok(vec![None; pids.len()]) };
        let pids = pids.to_vec();
        // All of them wait for the same lock.
        let read = move || pids.into_iter().map(|pid| cgroup_of(pid, &hierarchy)).collect();
        in_time("cgroups of processes", read).ok_or(Late)
    }

    fn cmdline(&self, pid: u32) -> Result<Option<String>, Late> {
        if self.foreign {
            return Ok(None);
        }
        let path = format!("/proc/{pid}/cmdline");
        let bytes = in_time(path.clone(), move || fs::read(path).ok()).ok_or(Late)?;
        Ok(bytes.and_then(words))
    }

    fn started(&self, pid: u32) -> Option<Duration> {
        let stat = self.read(pid, "stat")?;
        let stat = String::from_utf8_lossy(&stat);
        let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
        Some(Duration::from_nanos(ticks.checked_mul(1_000_000_000 / ticks_per_second())?))
    }

    fn cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.ids.path(id)
    }

    fn memory_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.memory_ids.path(id)
    }

    fn io_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.io_ids.path(id)
    }

    fn io_limit(&self, pid: u32, disk: &str) -> Option<String> {
        let (hierarchy, disk) = (self.io.clone()?, disk.to_owned());
        in_time("limits of I/O", move || io_limit_of(pid, &disk, &hierarchy))?
    }

    fn connections_full(&mut self, netns: Option<u32>) -> Option<String> {
        let process = match netns {
            Some(netns) => self.inhabitants.get_or_insert_with(inhabitants).get(&netns)?.to_string(),
            None => "self".to_owned(),
        };
        let known = fs::read_to_string(format!("/proc/{process}/net/stat/nf_conntrack")).ok()?;
        full(&known, &fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").ok()?)
    }

    fn file_server(&mut self, pid: u32) -> Option<(String, Vec<u32>)> {
        if self.foreign { None } else { self.servers.of(pid) }
    }

    fn file(&self, pid: u32, fd: u32, inode: u64) -> Option<String> {
        let read = move || {
            let path = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
            // Nothing is asked of the file itself: its server may not answer. Kernels before 5.14 do not tell its inode.
            let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
            let told = info.lines().find_map(|line| line.strip_prefix("ino:")?.trim().parse::<u64>().ok());
            told.is_none_or(|told| told == inode).then_some(path)
        };
        let path = in_time(format!("/proc/{pid}/fd"), read).filter(|_| !self.foreign)??;
        let path = path.to_string_lossy();
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }

    fn interfaces(&self) -> HashMap<IpAddr, String> {
        in_time("network interfaces", interfaces).unwrap_or_default()
    }
}

fn cgroup_of(pid: u32, hierarchy: &Hierarchy) -> Option<String> {
    let path = |of: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{of}")).ok()?;
        let path = hierarchy.path_in(&String::from_utf8_lossy(&bytes))?.to_owned();
        // The kernel says so of a process that has outlived its cgroup.
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    };
    let found = path("cgroup")?;
    // v1 says so of a main thread that has ended, too: those that it has left behind know better.
    if found == "/"
        && let Some(thread) = other_thread(pid)
    {
        return path(&format!("task/{thread}/cgroup"));
    }
    Some(found)
}

/// Of a command line. `None`: it has none, as threads of the kernel.
fn words(mut bytes: Vec<u8>) -> Option<String> {
    bytes.truncate(CMDLINE);
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let words: Vec<_> = bytes.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
    (!bytes.is_empty()).then(|| words.join(" "))
}

fn io_limit_of(pid: u32, disk: &str, hierarchy: &Hierarchy) -> Option<String> {
    let number = fs::read_to_string(format!("/sys/block/{disk}/dev")).ok()?;
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = Path::new(hierarchy.path_in(&cgroups)?);
    path.ancestors().find_map(|path| {
        let directory = hierarchy.dir(path.to_str()?);
        let limit = |file: &&str| {
            let value = limit_of(&fs::read_to_string(directory.join(file)).ok()?, number.trim())?;
            Some(format!("{file} {value} of {}", path.display()))
        };
        IO_LIMITS.iter().find_map(limit)
    })
}

/// Netlink waits for whoever changes an interface.
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

/// A thread of a process besides its main thread.
fn other_thread(pid: u32) -> Option<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let mut threads = threads.filter_map(|thread| thread.file_name().into_string().ok());
    threads.find(|thread| *thread != pid.to_string())
}

const IO_LIMITS: [&str; 5] = [
    "io.max",
    "blkio.throttle.read_bps_device",
    "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device",
    "blkio.throttle.write_iops_device",
];

/// A disk's line, without what is not limited.
fn limit_of(text: &str, number: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(number)?.strip_prefix(' '))?;
    let limits: Vec<&str> = line.split_ascii_whitespace().filter(|limit| !limit.ends_with("=max")).collect();
    (!limits.is_empty()).then(|| limits.join(" "))
}

/// Each line of the statistics, one for each CPU, begins with the number of all connections.
fn full(statistics: &str, most: &str) -> Option<String> {
    let known = u64::from_str_radix(statistics.lines().nth(1)?.split_ascii_whitespace().next()?, 16).ok()?;
    let most: u64 = most.trim().parse().ok()?;
    // Some may just have been forgotten.
    (most > 0 && known + most / 50 >= most).then(|| format!("{known} of {most}"))
}

fn ticks_per_second() -> u64 {
    // SAFETY: no precondition.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::{super::Names, *};

    fn names() -> Names {
        Names::new(Host::new(&Features::read(), &Filter::default()))
    }

    #[test]
    fn a_table_of_connections_is_full_or_it_is_not() {
        let of = |known: &str| full(&format!("entries  searched found\n{known}  00000000 00000000\n"), "100\n");
        assert_eq!((of("00000064"), of("00000062")), (Some("100 of 100".to_owned()), Some("98 of 100".to_owned())));
        assert_eq!((of("00000061"), full("entries\n", "100"), full("", "")), (None, None, None));
    }

    #[test]
    fn this_process_has_a_name() {
        let (mut names, pid) = (names(), process::id());
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(names.comm(pid).as_deref(), Some(comm.trim_end()));
        if Features::read().cgroups.naming().is_some() {
            assert!(names.cgroup(pid).unwrap().starts_with('/'));
        }
    }

    #[test]
    fn a_process_whose_main_thread_has_ended_has_a_cgroup() {
        let features = Features::read();
        if features.cgroups.naming().is_none() {
            return eprintln!("skipped: no cgroups");
        }
        // SAFETY: the child calls nothing that another thread of ours may have locked.
        let child = unsafe { libc::fork() };
        if child == 0 {
            leave_a_thread();
        }
        let state = || fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        while !state().contains(") Z ") {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (names, host) = (names().cgroup(child as u32), Host::new(&features, &Filter::default()));
        // SAFETY: a child of ours.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        assert_eq!(Ok(vec![names]), host.cgroups(&[process::id()]));
    }

    /// The main thread ends, another stays.
    fn leave_a_thread() -> ! {
        extern "C" fn stay(_: *mut libc::c_void) -> *mut libc::c_void {
            // SAFETY: no precondition.
            unsafe { libc::pause() };
            std::ptr::null_mut()
        }
        // SAFETY: the function fits; `exit` ends this thread alone.
        unsafe {
            let mut thread = std::mem::zeroed();
            libc::pthread_create(&mut thread, std::ptr::null(), stay, std::ptr::null_mut());
            libc::syscall(libc::SYS_exit, 0);
            libc::abort()
        }
    }

    #[test]
    fn numbers_of_another_namespace_are_not_looked_up() {
        let mut features = Features::read();
        features.privileges.first_pid_namespace = Some(false);
        let host = Host::new(&features, &Filter::default());
        let pid = process::id();
        assert_eq!((host.comm(pid), host.started(pid)), (None, None));
        assert_eq!((host.cgroups(&[pid]), host.cmdline(pid)), (Ok(vec![None]), Ok(None)));
    }

    #[test]
    fn a_limit_is_of_one_disk_and_not_the_largest_number() {
        let text = "7:1 rbps=max wbps=204800 riops=max wiops=max\n7:10 rbps=max wbps=max riops=max wiops=max\n";
        assert_eq!(limit_of(text, "7:1").as_deref(), Some("wbps=204800"));
        assert_eq!((limit_of(text, "7:10"), limit_of(text, "7:2")), (None, None));
        assert_eq!(limit_of("7:0 204800\n", "7:0").as_deref(), Some("204800"));
    }

    #[test]
    fn an_ended_process_keeps_no_name() {
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let (mut names, pid) = (names(), child.id());
        // Until exec the child carries our name.
        while names.comm(pid).as_deref() != Some("sleep") {
            names.tick(Duration::ZERO);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names.comm(pid).as_deref(), Some("sleep"), "within the interval the name is kept");
        names.tick(Duration::ZERO);
        assert_eq!((names.comm(pid), names.cgroup(pid)), (None, None));
    }
}
