//! Puts names to the numbers of a snapshot, for the rows that will be seen.

mod cpu;
pub mod oom;
pub mod tcp;

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    cli::plan::{By, Filter, Plan},
    names::Names,
    snapshot::{
        Snapshot, Who,
        io::{Io, Stalled},
        syscalls::{CallsBy, Syscalls},
    },
    table::Columns,
};

const ENDED: &str = "ended before it could be looked up";

/// Resolves processes and cgroups. Text shows `--top` rows of a table, JSON shows all.
pub fn resolve(snapshot: &mut Snapshot, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    if let Some((syscalls, plan)) = snapshot.syscalls.as_mut().zip(plan.syscalls.as_ref()) {
        calls(syscalls, names, plan.by, seen);
    }
    if let Some(io) = &mut snapshot.io {
        block_io(io, names, plan);
    }
    if let Some(tcp) = &mut snapshot.tcp {
        tcp::resolve(tcp, names, plan);
    }
    if let Some(oom) = &mut snapshot.oom {
        oom::resolve(oom, names, plan);
    }
    if let Some(cpu) = &mut snapshot.cpu {
        cpu::resolve(cpu, names, plan);
    }
}

fn calls(syscalls: &mut Syscalls, names: &mut Names, by: Option<By>, seen: usize) {
    for account in syscalls.slow.iter_mut().take(seen) {
        name(&mut account.who, names);
    }
    for call in syscalls.in_flight.iter_mut().take(seen) {
        name(&mut call.who, names);
    }
    for account in syscalls.failing.iter_mut().flatten().take(seen) {
        name(&mut account.who, names);
    }
    let Some(accounts) = &mut syscalls.by else { return };
    match by {
        Some(By::Cgroup) => {
            *accounts = add_up(std::mem::take(accounts), |account| {
                let who = &mut account.who;
                name(who, names);
                let unknown = if who.cgroup.is_none() { who.unknown.clone() } else { None };
                Who { cgroup: who.cgroup.take(), unknown, ..Who::default() }
            });
        }
        _ => accounts.iter_mut().take(seen).for_each(|account| name(&mut account.who, names)),
    }
}

/// `-p`, `--comm` and `-c` choose among victims and owners; devices count everybody.
fn block_io(io: &mut Io, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    let filter = &plan.filter;
    if let Some(rows) = io.stalled.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        let hidden =
            |row: &Stalled| row.kernel_thread && !plan.json && !plan.io.as_ref().is_some_and(|io| io.kernel_threads);
        rows.iter_mut().filter(|row| !hidden(row)).take(seen).for_each(|row| name(&mut row.who, names));
    }
    if let Some(rows) = io.caused_by.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        rows.iter_mut().take(seen).for_each(|row| name(&mut row.who, names));
    }
    if let Some(rows) = &mut io.blame {
        rows.retain_mut(|row| wanted(&mut row.victim, filter, names) || wanted(&mut row.culprit, filter, names));
        for row in rows.iter_mut().take(seen) {
            name(&mut row.victim, names);
            name(&mut row.culprit, names);
        }
    }
    io.slow.retain_mut(|request| wanted(&mut request.who, filter, names));
    io.slow.iter_mut().for_each(|request| name(&mut request.who, names));
}

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

/// One row per (new owner, call).
fn add_up(rows: Vec<CallsBy>, mut owner: impl FnMut(&mut CallsBy) -> Who) -> Vec<CallsBy> {
    let mut sums: HashMap<(Option<String>, Option<String>), CallsBy> = HashMap::new();
    for mut row in rows {
        row.who = owner(&mut row);
        match sums.get_mut(&(row.who.cgroup.clone(), row.syscall.clone())) {
            Some(sum) => sum.merge(&row),
            None => {
                sums.insert((row.who.cgroup.clone(), row.syscall.clone()), row);
            }
        }
    }
    let mut sums: Vec<CallsBy> = sums.into_values().collect();
    sums.sort_by_key(|sum| Reverse((sum.total_ns, sum.times())));
    sums
}
