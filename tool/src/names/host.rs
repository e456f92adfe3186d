//! This host, from `/proc` and the cgroup file systems.

use std::{collections::HashMap, fs, net::IpAddr, time::Duration};

use super::{Source, cgroup::Ids};
use crate::{
    cli::plan::Filter,
    kernel::features::{Cgroups, Hierarchy},
};

/// The host that we run on.
pub struct Host {
    naming: Option<Hierarchy>,
    ids: Ids,
    /// Of the hierarchy that memory is charged in.
    memory_ids: Ids,
}

impl Host {
    /// Where a cgroup was asked for, names are from its hierarchy.
    pub fn new(cgroups: &Cgroups, filter: &Filter) -> Self {
        let wanted = filter.cgroup.as_ref().and_then(|cgroup| cgroups.of_dir(&cgroup.dir));
        let naming = wanted.or_else(|| cgroups.naming()).cloned();
        // On a hybrid host every process may be in the root of the unified hierarchy: a name, but a wrong one.
        let unified = naming.clone().filter(Hierarchy::is_v2);
        Self { naming, ids: Ids::new(unified), memory_ids: Ids::new(cgroups.memory().cloned()) }
    }
}

impl Source for Host {
    fn tick(&mut self) {
        self.ids.tick();
        self.memory_ids.tick();
    }

    fn comm(&self, pid: u32) -> Option<String> {
        let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
        Some(String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned())
    }

    fn cgroup(&self, pid: u32) -> Option<String> {
        let hierarchy = self.naming.as_ref()?;
        let bytes = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
        let path = hierarchy.path_in(&String::from_utf8_lossy(&bytes))?.to_owned();
        // The kernel says so of a process that has outlived its cgroup.
        Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
    }

    fn started(&self, pid: u32) -> Option<Duration> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
        Some(Duration::from_nanos(ticks.checked_mul(1_000_000_000 / ticks_per_second())?))
    }

    fn cgroup_by_id(&mut self, id: u64) -> Option<String> {
        self.ids.path(id)
    }

    fn memory_cgroup_by_id(&mut self, id: u64) -> Option<String> {
        self.memory_ids.path(id)
    }

    fn interfaces(&self) -> HashMap<IpAddr, String> {
        let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
        let one = |interface: nix::ifaddrs::InterfaceAddress| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
            let v6 = || address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip()));
            Some((v4.or_else(v6)?, interface.interface_name))
        };
        all.filter_map(one).collect()
    }
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
        Names::new(Host::new(&Cgroups::read(), &Filter::default()))
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
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names.comm(pid).as_deref(), Some("sleep"), "within the interval the name is kept");
        names.tick(Duration::ZERO);
        assert_eq!((names.comm(pid), names.cgroup(pid)), (None, None));
    }
}
