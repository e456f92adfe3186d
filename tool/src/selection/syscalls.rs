//! Calls by cgroup. The programs count only those that were asked for.

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    cli::plan::{By, Plan},
    snapshot::{
        Who,
        syscalls::{CallsBy, Syscalls},
    },
    table::Columns,
};

pub fn select(syscalls: &mut Syscalls, plan: &Plan) {
    let by = plan.syscalls.as_ref().and_then(|plan| plan.by);
    if let (Some(By::Cgroup), Some(rows)) = (by, &mut syscalls.by) {
        *rows = by_cgroup(std::mem::take(rows));
    }
}

/// One row per (cgroup, call).
fn by_cgroup(rows: Vec<CallsBy>) -> Vec<CallsBy> {
    let mut sums: HashMap<(Option<String>, Option<String>), CallsBy> = HashMap::new();
    for row in rows {
        let Who { cgroup, unknown, .. } = row.who;
        let key = (cgroup.clone(), row.syscall.clone());
        let unknown = unknown.filter(|_| cgroup.is_none());
        let row = CallsBy { who: Who { cgroup, unknown, ..Who::default() }, ..row };
        match sums.get_mut(&key) {
            Some(sum) => sum.merge(&row),
            None => {
                sums.insert(key, row);
            }
        }
    }
    let mut sums: Vec<CallsBy> = sums.into_values().collect();
    sums.sort_by_key(|sum| Reverse((sum.total_ns, sum.times())));
    sums
}
