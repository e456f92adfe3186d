//! Calls by cgroup. The programs count only those that were asked for.

use std::{cmp::Reverse, collections::HashMap};

use super::bound_some;
use crate::{
    cli::plan::{By, Filter, Plan},
    snapshot::{
        Who,
        syscalls::{CallsBy, Syscalls},
    },
    table::{Columns, ROWS},
};

pub fn select(syscalls: &mut Syscalls, plan: &Plan) {
    let by = plan.syscalls.as_ref().and_then(|plan| plan.by);
    if let (Some(By::Cgroup), Some(rows)) = (by, &mut syscalls.by) {
        by_cgroup(rows);
    }
}

pub fn bound(syscalls: &mut Syscalls, filter: &Filter) {
    bound_some(&mut syscalls.slow, filter);
    bound_some(&mut syscalls.in_flight, filter);
    if let Some(rows) = &mut syscalls.by {
        bound_some(rows, filter);
    }
    // No table has them: findings have said of them what there is to be said.
    if let Some(rows) = &mut syscalls.failing {
        rows.truncate(ROWS);
    }
}

/// One row per (cgroup, call).
fn by_cgroup(rows: &mut Vec<CallsBy>) {
    let mut sums: HashMap<(Option<String>, Option<String>), CallsBy> = HashMap::new();
    for row in rows.drain(..) {
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
    rows.extend(sums.into_values());
    rows.sort_by_key(|sum| Reverse((sum.total_ns, sum.times())));
}
