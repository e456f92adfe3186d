//! Names for kills, and for who waits for memory.

use super::{all, rows, seen};
use crate::{
    cli::plan::Plan,
    names::{Late, Names},
    snapshot::{
        Who,
        oom::{Kill, Limit, Oom},
        who::NOT_IN_TIME,
    },
};

pub const GONE: &str = "its cgroup was gone before it could be looked up";

pub fn resolve(oom: &mut Oom, names: &mut Names, plan: &Plan) {
    kills(&mut oom.kills, names);
    kills(&mut oom.freed, names);
    all(oom.signals.iter_mut().map(|signal| &mut signal.sender), names);
    oom.signals.iter_mut().for_each(|signal| past(&mut signal.target, 0, names));
    rows(&mut oom.reclaim, names, plan);
    rows(&mut oom.inside, names, plan);
    oom.limits.iter_mut().take(seen(plan)).for_each(|limit| limited(limit, names));
}

pub fn kills(kills: &mut [Kill], names: &mut Names) {
    for kill in kills {
        let [victim, trigger] = kill.memory_cgroups;
        past(&mut kill.victim.who, victim, names);
        past(&mut kill.trigger, trigger, names);
        if let Ok(scope) = &mut kill.scope
            && scope.cgroup.is_none()
            && let Some(limit) = &mut scope.limit
        {
            limited(limit, names);
            scope.cgroup.clone_from(&limit.cgroup);
        }
    }
}

/// What was noted at the time counts; what was not is looked up. `memory_cgroup`: the id of the cgroup that its memory was charged to, or 0.
pub fn past(who: &mut Who, memory_cgroup: u64, names: &mut Names) {
    let mut why = GONE;
    let mut known = |path: Result<Option<String>, Late>| {
        path.unwrap_or_else(|Late| {
            why = NOT_IN_TIME;
            None
        })
    };
    let charged = Some(memory_cgroup).filter(|&id| id != 0);
    let noted = who.cgroup.take();
    let noted = noted.or_else(|| known(names.memory_cgroup_by_id(charged?)));
    who.cgroup = noted.or_else(|| known(names.cgroup_by_id(who.cgroup_id?)));
    if who.pid.is_some() && who.cgroup.is_none() {
        who.unknown.get_or_insert(why.into());
    }
}

fn limited(limit: &mut Limit, names: &mut Names) {
    limit.cgroup = names.memory_cgroup_by_id(limit.id).ok().flatten();
}
