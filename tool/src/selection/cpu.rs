//! Some of those who wait in run queues and who run; the histogram counts everybody.

use super::{bound_some, by_cgroup, keep_some};
use crate::{
    cli::plan::{By, Filter, Plan},
    snapshot::cpu::Cpu,
    table::in_order,
};

pub fn select(cpu: &mut Cpu, plan: &Plan) {
    keep_some([&mut cpu.waited], &plan.filter);
    keep_some(cpu.waiting.value_mut(), &plan.filter);
    keep_some(cpu.running.value_mut(), &plan.filter);
    keep_some(&mut cpu.by, &plan.filter);
    if plan.cpu.as_ref().is_some_and(|plan| plan.by == Some(By::Cgroup)) {
        if let Some(rows) = cpu.running.value_mut() {
            by_cgroup(rows, |row| &mut row.who, |_| ());
            in_order(rows);
        }
        if let Some(rows) = &mut cpu.by {
            by_cgroup(rows, |row| &mut row.who, |_| ());
            in_order(rows);
        }
    }
}

pub fn bound(cpu: &mut Cpu, filter: &Filter) {
    bound_some([&mut cpu.waited], filter);
    bound_some(cpu.waiting.value_mut(), filter);
    bound_some(cpu.running.value_mut(), filter);
    bound_some(&mut cpu.by, filter);
    if let Some(rows) = cpu.throttled.value_mut() {
        rows.bound(|_| false);
    }
}
