//! Names for kills, and for who waits for memory.

use super::{name, wanted};
use crate::{
    cli::plan::{Filter, Plan},
    names::Names,
    snapshot::{
        Who,
        oom::{Kill, Limit, Oom},
    },
};

const GONE: &str = "its cgroup was gone before it could be looked up";

/// `-p`, `--comm` and `-c` choose kills by victim and trigger, and among those who wait; totals and limits are everybody's.
pub fn resolve(oom: &mut Oom, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    kills(&mut oom.kills, names, plan);
    kills(&mut oom.freed, names, plan);
    oom.signals.retain_mut(|signal| {
        wanted(&mut signal.target, &plan.filter, names) || wanted(&mut signal.sender, &plan.filter, names)
    });
    for signal in &mut oom.signals {
        name(&mut signal.sender, names);
        past(&mut signal.target, names);
    }
    oom.reclaim.retain_mut(|row| wanted(&mut row.who, &plan.filter, names));
    oom.reclaim.iter_mut().take(seen).for_each(|row| name(&mut row.who, names));
    oom.inside.retain_mut(|task| wanted(&mut task.who, &plan.filter, names));
    oom.inside.iter_mut().take(seen).for_each(|task| name(&mut task.who, names));
    oom.limits.iter_mut().take(seen).for_each(|limit| limited(limit, names));
}

pub fn kills(kills: &mut Vec<Kill>, names: &mut Names, plan: &Plan) {
    for kill in kills.iter_mut() {
        let [victim, trigger] = kill.memory_cgroups;
        charged(&mut kill.victim.who, victim, names);
        charged(&mut kill.trigger, trigger, names);
        if let Ok(scope) = &mut kill.scope
            && scope.cgroup.is_none()
            && let Some(limit) = &mut scope.limit
        {
            limited(limit, names);
            scope.cgroup.clone_from(&limit.cgroup);
        }
    }
    kills.retain_mut(|kill| {
        let victim = is_wanted(&mut kill.victim.who, names, plan);
        victim || is_wanted(&mut kill.trigger, names, plan)
    });
}

/// The cgroup that it was in counts: a process that has ended is in none.
fn is_wanted(who: &mut Who, names: &mut Names, plan: &Plan) -> bool {
    let Some(directory) = &plan.filter.cgroup else { return wanted(who, &plan.filter, names) };
    match who.cgroup.as_deref().and_then(|path| names.is_memory_path_below(path, directory)) {
        Some(below) => below && wanted(who, &Filter { cgroup: None, ..plan.filter.clone() }, names),
        None => wanted(who, &plan.filter, names),
    }
}

/// Its memory was charged to the cgroup with this id.
fn charged(who: &mut Who, memory_cgroup: u64, names: &mut Names) {
    if who.cgroup.is_none() && memory_cgroup != 0 {
        who.cgroup = names.memory_cgroup_by_id(memory_cgroup);
    }
    past(who, names);
}

/// What was noted at the time counts; what was not is looked up.
fn past(who: &mut Who, names: &mut Names) {
    if who.cgroup.is_none() {
        who.cgroup = who.cgroup_id.and_then(|id| names.cgroup_by_id(id));
    }
    if who.pid.is_some() && who.cgroup.is_none() {
        who.unknown.get_or_insert(GONE.into());
    }
}

fn limited(limit: &mut Limit, names: &mut Names) {
    limit.cgroup = names.memory_cgroup_by_id(limit.id);
}
