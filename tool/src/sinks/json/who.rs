//! Names of processes.

use serde::Serialize;

use crate::snapshot;

#[derive(Serialize)]
pub struct Who<'a> {
    pid: Option<u32>,
    comm: Option<&'a str>,
    cgroup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'static str>,
}

impl<'a> Who<'a> {
    pub fn of(who: &'a snapshot::Who) -> Self {
        Self { pid: who.pid, comm: who.comm.as_deref(), cgroup: who.cgroup.as_deref(), unknown: who.unknown }
    }
}
