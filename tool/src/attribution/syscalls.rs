//! Names of those whose calls were slow, failed, or go on.

use super::{name, rows};
use crate::{
    cli::plan::{By, Plan},
    names::Names,
    snapshot::syscalls::Syscalls,
};

pub fn resolve(syscalls: &mut Syscalls, names: &mut Names, plan: &Plan) {
    rows(&mut syscalls.slow, names, plan);
    rows(&mut syscalls.in_flight, names, plan);
    rows(syscalls.failing.iter_mut().flatten(), names, plan);
    let by = syscalls.by.iter_mut().flatten();
    match plan.syscalls.as_ref().and_then(|plan| plan.by) {
        Some(By::Cgroup) => by.for_each(|row| name(&mut row.who, names)),
        _ => rows(by, names, plan),
    }
}
