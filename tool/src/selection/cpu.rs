//! Some of those who wait in run queues and who run; the histogram counts everybody.

use std::{cmp::Reverse, collections::HashMap};

use super::{bound_some, keep_some};
use crate::{
    cli::plan::{By, Filter, Plan},
    snapshot::{
        Latency, Who,
        cpu::{Cpu, Running, WaitsBy},
        who::ENDED,
    },
    table::Columns,
};

pub fn select(cpu: &mut Cpu, plan: &Plan) {
    let by_cgroup = plan.cpu.as_ref().is_some_and(|plan| plan.by == Some(By::Cgroup));
    keep_some(&mut cpu.waited, &plan.filter);
    if let Some(rows) = cpu.waiting.value_mut() {
        keep_some(rows, &plan.filter);
    }
    if let Some(rows) = cpu.running.value_mut() {
        keep_some(rows, &plan.filter);
        if by_cgroup {
            running_by_cgroup(rows);
        }
    }
    if let Some(rows) = &mut cpu.by {
        keep_some(rows, &plan.filter);
        if by_cgroup {
            waits_by_cgroup(rows);
        }
    }
}

pub fn bound(cpu: &mut Cpu, filter: &Filter) {
    bound_some(&mut cpu.waited, filter);
    if let Some(rows) = cpu.waiting.value_mut() {
        bound_some(rows, filter);
    }
    if let Some(rows) = cpu.running.value_mut() {
        bound_some(rows, filter);
    }
    if let Some(rows) = &mut cpu.by {
        bound_some(rows, filter);
    }
    if let Some(rows) = cpu.throttled.value_mut() {
        rows.bound(|_| false);
    }
}

fn only_cgroup(who: Who) -> Who {
    let unknown = who.cgroup.is_none().then(|| who.unknown.clone().unwrap_or(ENDED.into()));
    Who { cgroup: who.cgroup, unknown, ..Who::default() }
}

fn waits_by_cgroup(rows: &mut Vec<WaitsBy>) {
    let mut groups: HashMap<Option<String>, Vec<WaitsBy>> = HashMap::new();
    for row in rows.drain(..) {
        groups.entry(row.who.cgroup.clone()).or_default().push(row);
    }
    let sum = |rows: Vec<WaitsBy>| {
        let latency = Latency::merge(rows.iter().map(|row| &row.latency));
        let who = rows.into_iter().next().map(|row| only_cgroup(row.who)).unwrap_or_default();
        WaitsBy { who, waits: latency.count, latency }
    };
    rows.extend(groups.into_values().map(sum));
    rows.sort_by_key(|row| Reverse((row.latency.total_ns, row.latency.count)));
}

fn running_by_cgroup(rows: &mut Vec<Running>) {
    let mut sums: HashMap<Option<String>, Running> = HashMap::new();
    for row in rows.drain(..) {
        let key = row.who.cgroup.clone();
        let row = Running { who: only_cgroup(row.who), ..row };
        match sums.get_mut(&key) {
            Some(sum) => sum.merge(&row),
            None => {
                sums.insert(key, row);
            }
        }
    }
    rows.extend(sums.into_values());
    rows.sort_by_key(|sum| Reverse(sum.ran_ns));
}
