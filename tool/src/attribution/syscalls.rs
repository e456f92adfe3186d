//! Names of those whose calls were slow, failed, or go on.

use std::{cmp::Reverse, collections::HashMap};

use super::name;
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::{
        Who,
        syscalls::{CallsBy, Syscalls},
    },
    table::Columns,
};

pub fn resolve(syscalls: &mut Syscalls, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
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
    match plan.syscalls.as_ref().and_then(|plan| plan.by) {
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
