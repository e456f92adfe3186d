//! Names for kills, and for who waits for memory.

use super::{all, rows, seen};
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::{
        Who,
        oom::{Kill, Limit, Oom},
    },
};

const GONE: &str = "its cgroup was gone before it could be looked up";

pub fn resolve(oom: &mut Oom, names: &mut Names, plan: &Plan) {
    kills(&mut oom.kills, names);
    kills(&mut oom.freed, names);
    all(oom.signals.iter_mut().map(|signal| &mut signal.sender), names);
    oom.signals.iter_mut().for_each(|signal| past(&mut signal.target, names));
    rows(&mut oom.reclaim, names, plan);
    rows(&mut oom.inside, names, plan);
    oom.limits.iter_mut().take(seen(plan)).for_each(|limit| limited(limit, names));
}

pub fn kills(kills: &mut [Kill], names: &mut Names) {
    for kill in kills {
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
