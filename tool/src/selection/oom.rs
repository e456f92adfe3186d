//! Kills by victim and trigger, and some of those who wait for memory; totals and limits are everybody's.

use super::{bound_some, keep, keep_some};
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::oom::Oom,
};

pub fn select(oom: &mut Oom, plan: &Plan) {
    keep(&mut oom.kills, &plan.filter);
    keep(&mut oom.freed, &plan.filter);
    keep(&mut oom.signals, &plan.filter);
    keep_some([&mut oom.reclaim], &plan.filter);
    keep_some([&mut oom.inside], &plan.filter);
}

pub fn bound(oom: &mut Oom, filter: &Filter) {
    bound_some([&mut oom.reclaim], filter);
    bound_some([&mut oom.inside], filter);
    oom.limits.bound(|_| false);
}
