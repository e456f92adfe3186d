//! Names of those whose calls were slow, failed, or go on.

use super::{file_server, first, rows, seen};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    reasons::Kind,
    snapshot::syscalls::Syscalls,
    table::ROWS,
};

/// Calls that go on whose processes the overview names.
const HANGING: usize = 64;

pub fn resolve(syscalls: &mut Syscalls, names: &mut Names, plan: &Plan) {
    rows(&mut syscalls.slow, names, plan);
    // Findings name those that hang, and take those of one name together.
    let hanging = seen(plan).max(if plan.overview { HANGING } else { 0 });
    first(hanging, &mut syscalls.in_flight, names, plan);
    for call in syscalls.in_flight.iter_mut().filter(|call| call.reason.as_deref() == Some(Kind::Fuse.words())) {
        call.server = file_server(&call.who, names);
    }
    rows(syscalls.failing.iter_mut().flatten(), names, plan);
    let by = syscalls.by.iter_mut().flatten();
    match plan.syscalls.as_ref().and_then(|plan| plan.by) {
        Some(By::Cgroup) => first(ROWS, by, names, plan),
        _ => rows(by, names, plan),
    }
}
