//! A host made by hand.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use super::{Late, Source};

/// What it answers.
#[derive(Default)]
pub struct Fake {
    /// Command, cgroup, and when it started, by number.
    pub processes: HashMap<u32, (&'static str, &'static str, Duration)>,
    pub cgroups: HashMap<u64, &'static str>,
    /// It is in a pid namespace of its own.
    pub foreign: bool,
    /// What may take for ever does: of processes, and of cgroups by their ids.
    pub late: bool,
    pub late_ids: bool,
}

impl Fake {
    fn process(&self, pid: u32) -> Option<&(&'static str, &'static str, Duration)> {
        self.processes.get(&pid).filter(|_| !self.foreign)
    }
}

impl Source for Fake {
    fn has_kernel_s_numbers(&self) -> bool {
        !self.foreign
    }

    fn comm(&self, pid: u32) -> Option<String> {
        self.process(pid).map(|(comm, ..)| (*comm).to_owned())
    }

    fn cgroups(&self, pids: &[u32]) -> Result<Vec<Option<String>>, Late> {
        let path = |pid: &u32| self.process(*pid).map(|(_, cgroup, _)| (*cgroup).to_owned());
        if self.late { Err(Late) } else { Ok(pids.iter().map(path).collect()) }
    }

    fn cmdline(&self, pid: u32) -> Result<Option<String>, Late> {
        if self.late { Err(Late) } else { Ok(self.comm(pid)) }
    }

    fn started(&self, pid: u32) -> Option<Duration> {
        self.process(pid).map(|(.., started)| *started)
    }

    fn cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        if self.late_ids { Err(Late) } else { Ok(self.cgroups.get(&id).map(|path| (*path).to_owned())) }
    }

    fn memory_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.cgroup_by_id(id)
    }

    fn io_cgroup_by_id(&mut self, id: u64) -> Result<Option<String>, Late> {
        self.cgroup_by_id(id)
    }

    fn connections_full(&mut self, _: Option<u32>) -> Option<String> {
        None
    }

    fn io_limit(&self, _: u32, _: &str) -> Option<String> {
        None
    }

    fn file_server(&mut self, _: u32) -> Option<(String, Vec<u32>)> {
        None
    }

    fn file(&self, pid: u32, fd: u32, _: u64) -> Option<String> {
        self.process(pid).map(|(comm, ..)| format!("/srv/{comm}.{fd}"))
    }

    fn interfaces(&self) -> HashMap<IpAddr, String> {
        HashMap::new()
    }
}
