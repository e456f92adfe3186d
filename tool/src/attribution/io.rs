//! Names of those who wait for disks, and of those because of whom.

use super::{name, wanted};
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::io::{Io, Stalled},
};

/// `-p`, `--comm` and `-c` choose among victims and owners; devices count everybody.
pub fn resolve(io: &mut Io, names: &mut Names, plan: &Plan) {
    let seen = if plan.json { usize::MAX } else { plan.top };
    let filter = &plan.filter;
    if let Some(rows) = io.stalled.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        let hidden =
            |row: &Stalled| row.kernel_thread && !plan.json && !plan.io.as_ref().is_some_and(|io| io.kernel_threads);
        rows.iter_mut().filter(|row| !hidden(row)).take(seen).for_each(|row| name(&mut row.who, names));
    }
    if let Some(rows) = io.caused_by.value_mut() {
        rows.retain_mut(|row| wanted(&mut row.who, filter, names));
        rows.iter_mut().take(seen).for_each(|row| name(&mut row.who, names));
    }
    if let Some(rows) = &mut io.blame {
        rows.retain_mut(|row| wanted(&mut row.victim, filter, names) || wanted(&mut row.culprit, filter, names));
        for row in rows.iter_mut().take(seen) {
            name(&mut row.victim, names);
            name(&mut row.culprit, names);
        }
    }
    io.slow.retain_mut(|request| wanted(&mut request.who, filter, names));
    io.slow.iter_mut().for_each(|request| name(&mut request.who, names));
}
