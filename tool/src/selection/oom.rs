//! Kills by victim and trigger, and some of those who wait for memory; totals and limits are everybody's.

use super::keep;
use crate::{cli::plan::Plan, snapshot::oom::Oom};

pub fn select(oom: &mut Oom, plan: &Plan) {
    keep(&mut oom.kills, &plan.filter);
    keep(&mut oom.freed, &plan.filter);
    keep(&mut oom.signals, &plan.filter);
    keep(&mut oom.reclaim, &plan.filter);
    keep(&mut oom.inside, &plan.filter);
}
