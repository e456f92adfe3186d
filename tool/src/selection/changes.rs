//! Changes about some processes or cgroups; those of the host are everybody's.

use super::{bound_some, is_wanted};
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::changes::Changes,
};

pub fn select(changes: &mut Changes, plan: &Plan) {
    let filter = &plan.filter;
    if !filter.is_empty() {
        changes.changes.forget_others();
        changes.changes.retain(|row| row.who.as_ref().is_none_or(|who| is_wanted(who, filter)));
    }
}

pub fn bound(changes: &mut Changes, filter: &Filter) {
    bound_some([&mut changes.changes], filter);
}
