//! Names of those who wait in run queues and of those who run.

use super::{all, first, rows, seen};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::cpu::Cpu,
    table::ROWS,
};

pub fn resolve(cpu: &mut Cpu, names: &mut Names, plan: &Plan) {
    rows(&mut cpu.waited, names, plan);
    // Those who had the CPU, of rows whose process has a name.
    let named = cpu.waited.iter_mut().filter(|row| row.who.cgroup.is_some() || row.who.unknown.is_some());
    all(named.filter_map(|row| row.behind.value_mut()?.as_mut()), names);
    rows(cpu.waiting.value_mut().into_iter().flatten(), names, plan);
    if let Some(throttled) = cpu.throttled.value_mut()
        && plan.overview
    {
        // Most of them come to nothing: the rule that names them asks who ran.
        let seen = seen(plan);
        all(throttled.iter_mut().take(seen).flat_map(|row| row.members.iter_mut().take(seen)), names);
    }
    let (running, by) = (cpu.running.value_mut().into_iter().flatten(), cpu.by.iter_mut().flatten());
    match plan.cpu.as_ref().and_then(|plan| plan.by) {
        Some(By::Cgroup) => {
            first(ROWS, running, names, plan);
            first(ROWS, by, names, plan);
        }
        _ => {
            rows(running, names, plan);
            rows(by, names, plan);
        }
    }
}
