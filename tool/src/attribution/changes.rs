//! Names of the processes that changes are about; cgroups are named by their path already.

use super::rows;
use crate::{cli::plan::Plan, names::Names, snapshot::changes::Changes};

pub fn resolve(changes: &mut Changes, names: &mut Names, plan: &Plan) {
    let processes = changes.changes.iter_mut().filter(|row| row.who.as_ref().is_some_and(|who| who.pid.is_some()));
    rows(processes, names, plan);
}
