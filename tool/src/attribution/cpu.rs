//! Names of those who wait for processors and of those who have them.

use std::{cmp::Reverse, collections::HashMap};

use super::{name, wanted};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::{
        Latency, Who,
        cpu::{Cpu, Running, WaitsBy},
    },
    table::Columns,
};

/// `-p`, `--comm` and `-c` choose among rows; the histogram counts everybody.
pub fn resolve(cpu: &mut Cpu, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    let filter = &plan.filter;
    let by = plan.cpu.as_ref().and_then(|plan| plan.by);
    cpu.waited.retain_mut(|row| wanted(&mut row.who, filter, names));
    for row in cpu.waited.iter_mut().take(seen) {
        name(&mut row.who, names);
        if let Some(behind) = &mut row.behind {
            name(behind, names);
        }
    }
    if let Some(rows) = cpu.waiting.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        rows.iter_mut().take(seen).for_each(|row| name(&mut row.who, names));
    }
    if let Some(rows) = cpu.throttled.value_mut()
        && plan.overview
    {
        // Most of them come to nothing: the rule that names them asks who ran.
        rows.iter_mut().take(seen).flat_map(|row| row.members.iter_mut().take(seen)).for_each(|who| name(who, names));
    }
    if let Some(rows) = cpu.running.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        if by == Some(By::Cgroup) {
            rows.iter_mut().for_each(|row| named(&mut row.who, names));
            *rows = running_by_cgroup(std::mem::take(rows));
        } else {
            rows.iter_mut().take(seen).for_each(|row| named(&mut row.who, names));
        }
    }
    let Some(rows) = &mut cpu.by else { return };
    rows.retain_mut(|row| wanted(&mut row.who, filter, names));
    if by == Some(By::Cgroup) {
        rows.iter_mut().for_each(|row| name(&mut row.who, names));
        *rows = by_cgroup(std::mem::take(rows));
    } else {
        rows.iter_mut().take(seen).for_each(|row| name(&mut row.who, names));
    }
}

/// The same for a row that stands for no single process.
fn named(who: &mut Who, names: &mut Names) {
    match who.pid {
        Some(_) => name(who, names),
        None => who.cgroup = who.cgroup_id.and_then(|id| names.cgroup_by_id(id)),
    }
}

fn only_cgroup(who: Who) -> Who {
    let unknown =
        who.cgroup.is_none().then(|| who.unknown.clone().unwrap_or("ended before it could be looked up".into()));
    Who { cgroup: who.cgroup, unknown, ..Who::default() }
}

fn by_cgroup(rows: Vec<WaitsBy>) -> Vec<WaitsBy> {
    let mut groups: HashMap<Option<String>, Vec<WaitsBy>> = HashMap::new();
    for row in rows {
        groups.entry(row.who.cgroup.clone()).or_default().push(row);
    }
    let sum = |rows: Vec<WaitsBy>| {
        let latency = Latency::merge(rows.iter().map(|row| &row.latency));
        let who = rows.into_iter().next().map(|row| only_cgroup(row.who)).unwrap_or_default();
        WaitsBy { who, waits: latency.count, latency }
    };
    let mut sums: Vec<WaitsBy> = groups.into_values().map(sum).collect();
    sums.sort_by_key(|row| Reverse((row.latency.total_ns, row.latency.count)));
    sums
}

fn running_by_cgroup(rows: Vec<Running>) -> Vec<Running> {
    let mut sums: HashMap<Option<String>, Running> = HashMap::new();
    for row in rows {
        let key = row.who.cgroup.clone();
        let row = Running { who: only_cgroup(row.who), ..row };
        match sums.get_mut(&key) {
            Some(sum) => sum.merge(&row),
            None => {
                sums.insert(key, row);
            }
        }
    }
    let mut sums: Vec<Running> = sums.into_values().collect();
    sums.sort_by_key(|sum| Reverse(sum.ran_ns));
    sums
}
