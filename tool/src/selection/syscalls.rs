//! Calls by cgroup. The programs count only those that were asked for.

use super::{bound_some, by_cgroup};
use crate::{
    cli::plan::{By, Filter, Plan},
    snapshot::syscalls::Syscalls,
    table::{ROWS, in_order},
};

pub fn select(syscalls: &mut Syscalls, plan: &Plan) {
    let by = plan.syscalls.as_ref().and_then(|plan| plan.by);
    if let (Some(By::Cgroup), Some(rows)) = (by, &mut syscalls.by) {
        by_cgroup(rows, |row| &mut row.who, |row| row.syscall.clone());
        in_order(rows);
    }
}

pub fn bound(syscalls: &mut Syscalls, filter: &Filter) {
    bound_some([&mut syscalls.slow], filter);
    bound_some([&mut syscalls.in_flight], filter);
    bound_some(&mut syscalls.by, filter);
    // No table has them: findings have said of them what there is to be said.
    if let Some(rows) = &mut syscalls.failing {
        rows.truncate(ROWS);
    }
}
