//! Names of those whose calls were slow, failed, or go on.

use super::{first, name, rows};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::syscalls::Syscalls,
};

/// Calls that go on whose processes the overview names.
const HANGING: usize = 64;

pub fn resolve(syscalls: &mut Syscalls, names: &mut Names, plan: &Plan) {
    rows(&mut syscalls.slow, names, plan);
    // Findings name those that hang, and take those of one name together.
    let hanging = if plan.json { usize::MAX } else { plan.top.max(if plan.overview { HANGING } else { 0 }) };
    first(hanging, &mut syscalls.in_flight, names, plan);
    rows(syscalls.failing.iter_mut().flatten(), names, plan);
    let by = syscalls.by.iter_mut().flatten();
    match plan.syscalls.as_ref().and_then(|plan| plan.by) {
        Some(By::Cgroup) => by.for_each(|row| name(&mut row.who, names)),
        _ => rows(by, names, plan),
    }
}
