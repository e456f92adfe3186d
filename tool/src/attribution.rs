//! Puts names to the numbers of a snapshot.

mod changes;
mod cpu;
pub mod disk;
mod io;
mod log;
pub mod oom;
mod syscalls;
pub mod tcp;
#[cfg(test)]
mod tests;

use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::{
        Snapshot, Who,
        who::{About, FileServer},
    },
    table::ROWS,
};

macro_rules! resolve {
    ($($probe:ident: $_part:ident),*) => {
        /// Resolves processes and cgroups.
        pub fn resolve(snapshot: &mut Snapshot, names: &mut Names, plan: &Plan) {
            $(if let Some(part) = &mut snapshot.$probe {
                $probe::resolve(part, names, plan);
            })*
        }
    };
}

probes!(resolve);

/// Names the rows of a table that may be seen.
fn rows<'a, R: About + 'a>(rows: impl IntoIterator<Item = &'a mut R>, names: &mut Names, plan: &Plan) {
    first(seen(plan), rows, names, plan);
}

/// How many: text shows the first `--top`, of those that were asked for; JSON shows all that are kept.
fn seen(plan: &Plan) -> usize {
    if plan.json { ROWS } else { plan.top.min(ROWS) }
}

/// The same of the first `seen`.
fn first<'a, R: About + 'a>(seen: usize, rows: impl IntoIterator<Item = &'a mut R>, names: &mut Names, plan: &Plan) {
    let filter = &plan.filter;
    let may_be_asked_for = |who: &Who| {
        let pid = filter.pids.is_empty() || who.pid.is_some_and(|pid| filter.pids.contains(&pid));
        pid && !filter.is_empty()
    };
    let whom = rows.into_iter().enumerate().flat_map(|(at, row)| row.whom().map(move |who| (at, who)));
    all(whom.filter(|(at, who)| *at < seen || may_be_asked_for(who)).map(|(_, who)| who), names);
}

/// Names all of these.
fn all<'a>(whom: impl IntoIterator<Item = &'a mut Who>, names: &mut Names) {
    let whom: Vec<&mut Who> = whom.into_iter().collect();
    names.prepare(whom.iter().filter_map(|who| who.pid));
    whom.into_iter().for_each(|who| name(who, names));
}

/// A living process has the name it has now; one that has ended keeps the name that the kernel noted.
fn name(who: &mut Who, names: &mut Names) {
    let Some(pid) = who.pid else {
        who.cgroup = who.cgroup_id.and_then(|id| names.cgroup_by_id(id).ok()?);
        return;
    };
    if who.started.is_some_and(|started| names.is_same(pid, started) == Some(false)) {
        // The number is another's by now.
        who.cgroup = who.cgroup_id.and_then(|id| names.cgroup_by_id(id).ok()?);
        who.unknown = who.cgroup.is_none().then(|| names.why_none(pid).into());
        return;
    }
    if let Some(comm) = names.comm(pid) {
        who.noted = who.comm.take().filter(|noted| *noted != comm);
        who.comm = Some(comm);
    }
    who.cgroup =
        works_for(who, names).or_else(|| names.cgroup(pid)).or_else(|| names.cgroup_by_id(who.cgroup_id?).ok()?);
    if who.comm.is_none() || who.cgroup.is_none() {
        who.unknown = Some(names.why_none(pid).into());
    }
}

/// The cgroup on whose behalf a thread of the kernel uses a disk.
fn works_for(who: &Who, names: &mut Names) -> Option<String> {
    names.io_cgroup_by_id(who.cgroup_id.filter(|_| who.kernel_thread)?).ok()?
}

/// The file system that somebody waits for the server of.
fn file_server(who: &Who, names: &mut Names) -> Option<FileServer> {
    let (place, holders) = names.file_server(who.pid?)?;
    let mut holders: Vec<Who> = holders.into_iter().map(Who::living).collect();
    all(&mut holders, names);
    Some(FileServer { place, holders })
}
