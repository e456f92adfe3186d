//! Puts names to the numbers of a snapshot, for the rows that will be seen.

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::{
        Snapshot,
        syscalls::{Account, Who},
    },
};

/// Resolves processes and cgroups. Text shows `--top` rows of a table, JSON shows all.
pub fn resolve(snapshot: &mut Snapshot, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    let syscalls = &mut snapshot.syscalls;
    for account in syscalls.slow.iter_mut().take(seen) {
        name(&mut account.who, names);
    }
    for call in syscalls.in_flight.iter_mut().take(seen) {
        name(&mut call.who, names);
    }
    let Some(accounts) = &mut syscalls.by else { return };
    match plan.syscalls.by {
        Some(By::Cgroup) => {
            *accounts = add_up(std::mem::take(accounts), |account| {
                let who = &mut account.who;
                name(who, names);
                let unknown = if who.cgroup.is_none() { who.unknown } else { None };
                Who { cgroup: who.cgroup.take(), unknown, ..Who::default() }
            });
        }
        _ => accounts.iter_mut().take(seen).for_each(|account| name(&mut account.who, names)),
    }
}

/// A living process has the name it has now; one that has ended keeps the name that the kernel noted.
fn name(who: &mut Who, names: &mut Names) {
    let Some(pid) = who.pid else { return };
    if let Some(comm) = names.comm(pid) {
        who.comm = Some(comm);
    }
    who.cgroup = names.cgroup(pid).or_else(|| names.cgroup_by_id(who.cgroup_id?));
    if who.comm.is_none() || who.cgroup.is_none() {
        who.unknown = Some("ended before it could be looked up");
    }
}

/// One account per (new owner, call).
fn add_up(accounts: Vec<Account>, mut owner: impl FnMut(&mut Account) -> Who) -> Vec<Account> {
    let mut sums: HashMap<(Option<String>, Option<String>), Account> = HashMap::new();
    for mut account in accounts {
        let who = owner(&mut account);
        match sums.get_mut(&(who.cgroup.clone(), account.syscall.clone())) {
            Some(sum) => {
                sum.calls += account.calls;
                sum.errors += account.errors;
                sum.total_ns += account.total_ns;
                sum.max_ns = sum.max_ns.max(account.max_ns);
            }
            None => {
                sums.insert((who.cgroup.clone(), account.syscall.clone()), Account { who, ..account });
            }
        }
    }
    let mut sums: Vec<Account> = sums.into_values().collect();
    sums.sort_by_key(|sum| Reverse((sum.total_ns, sum.calls)));
    sums
}
