//! Names of those who wait for processors and of those who have them.

use std::{cmp::Reverse, collections::HashMap};

use super::{name, wanted};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::{
        Latency, Who,
        cpu::{self, Cpu, Running},
    },
};

/// `-p`, `--comm` and `-c` choose among rows; the histogram counts everybody.
pub fn resolve(cpu: &mut Cpu, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    let filter = &plan.filter;
    cpu.waited.retain_mut(|row| wanted(&mut row.who, filter, names));
    cpu.waiting.retain_mut(|row| wanted(&mut row.who, filter, names));
    cpu.running.retain_mut(|row| wanted(&mut row.who, filter, names));
    for row in cpu.waited.iter_mut().take(seen) {
        name(&mut row.who, names);
        if let Some(behind) = &mut row.behind {
            name(behind, names);
        }
    }
    for row in cpu.waiting.iter_mut().take(seen) {
        name(&mut row.who, names);
    }
    if let Ok(rows) = &mut cpu.throttled
        && plan.overview
    {
        // Most of them come to nothing: the rule that names them asks who ran.
        rows.iter_mut().take(seen).flat_map(|row| row.members.iter_mut().take(seen)).for_each(|who| name(who, names));
    }
    let by = plan.cpu.as_ref().and_then(|plan| plan.by);
    if by == Some(By::Cgroup) {
        cpu.running.iter_mut().for_each(|row| named(&mut row.who, names));
        cpu.running = running_by_cgroup(std::mem::take(&mut cpu.running));
    } else {
        cpu.running.iter_mut().take(seen).for_each(|row| named(&mut row.who, names));
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

fn by_cgroup(rows: Vec<cpu::By>) -> Vec<cpu::By> {
    let mut groups: HashMap<Option<String>, Vec<cpu::By>> = HashMap::new();
    for row in rows {
        groups.entry(row.who.cgroup.clone()).or_default().push(row);
    }
    let sum = |rows: Vec<cpu::By>| {
        let latency = Latency::merge(rows.iter().map(|row| &row.latency));
        let who = rows.into_iter().next().map(|row| only_cgroup(row.who)).unwrap_or_default();
        cpu::By { who, latency }
    };
    let mut sums: Vec<cpu::By> = groups.into_values().map(sum).collect();
    sums.sort_by_key(|row| Reverse((row.latency.total_ns, row.latency.count)));
    sums
}

fn running_by_cgroup(rows: Vec<Running>) -> Vec<Running> {
    let mut sums: HashMap<Option<String>, Running> = HashMap::new();
    for row in rows {
        let key = row.who.cgroup.clone();
        let sum =
            sums.entry(key).or_insert_with(|| Running { waited_ns: row.waited_ns.map(|_| 0), ..Running::default() });
        sum.who = only_cgroup(row.who);
        sum.ended += row.ended;
        sum.ran_ns += row.ran_ns;
        sum.moved_ns += row.moved_ns;
        sum.waited_ns = sum.waited_ns.zip(row.waited_ns).map(|(sum, more)| sum + more);
        sum.voluntary += row.voluntary;
        sum.involuntary += row.involuntary;
        for (cpu, ns) in row.on {
            match sum.on.iter_mut().find(|(known, _)| *known == cpu) {
                Some((_, sum)) => *sum += ns,
                None => sum.on.push((cpu, ns)),
            }
        }
    }
    let mut sums: Vec<Running> = sums.into_values().collect();
    sums.iter_mut().for_each(|sum| sum.on.sort_by_key(|&(cpu, ns)| (Reverse(ns), cpu)));
    sums.sort_by_key(|sum| Reverse(sum.ran_ns));
    sums
}
