//! Puts names to the numbers of a snapshot, for the rows that will be seen.

mod cpu;
mod io;
pub mod oom;
mod syscalls;
pub mod tcp;

use crate::{
    cli::plan::{Filter, Plan},
    names::Names,
    snapshot::{Snapshot, Who},
};

const ENDED: &str = "ended before it could be looked up";

macro_rules! resolve {
    ($($probe:ident: $_part:ident),*) => {
        /// Resolves processes and cgroups. Text shows `--top` rows of a table, JSON shows all.
        pub fn resolve(snapshot: &mut Snapshot, names: &mut Names, plan: &Plan) {
            $(if let Some(part) = &mut snapshot.$probe {
                $probe::resolve(part, names, plan);
            })*
        }
    };
}

probes!(resolve);

fn wanted(who: &mut Who, filter: &Filter, names: &mut Names) -> bool {
    let pid = filter.pids.is_empty() || who.pid.is_some_and(|pid| filter.pids.contains(&pid));
    let mut comm = || {
        let Some(wanted) = &filter.comm else { return true };
        who.comm.as_deref() == Some(wanted) || who.pid.and_then(|pid| names.comm(pid)).as_deref() == Some(wanted)
    };
    if !pid || !comm() {
        return false;
    }
    let Some(directory) = &filter.cgroup else { return true };
    let living = who.pid.and_then(|pid| names.is_below(pid, directory));
    living.or_else(|| names.is_cgroup_below(who.cgroup_id?, directory)).unwrap_or(false)
}

/// A living process has the name it has now; one that has ended keeps the name that the kernel noted.
fn name(who: &mut Who, names: &mut Names) {
    let Some(pid) = who.pid else { return };
    if who.started.is_some_and(|started| names.is_same(pid, started) == Some(false)) {
        // The number is another's by now.
        who.cgroup = who.cgroup_id.and_then(|id| names.cgroup_by_id(id));
        who.unknown = who.cgroup.is_none().then_some(ENDED.into());
        return;
    }
    if let Some(comm) = names.comm(pid) {
        who.comm = Some(comm);
    }
    who.cgroup = names.cgroup(pid).or_else(|| names.cgroup_by_id(who.cgroup_id?));
    if who.comm.is_none() || who.cgroup.is_none() {
        who.unknown = Some(ENDED.into());
    }
}
