//! Names of those who wait for disks, and of those because of whom.

use super::{name, rows};
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::io::{Io, Stalled},
};

pub fn resolve(io: &mut Io, names: &mut Names, plan: &Plan) {
    let hidden =
        |row: &Stalled| row.kernel_thread && !plan.json && !plan.io.as_ref().is_some_and(|io| io.kernel_threads);
    rows(io.stalled.value_mut().into_iter().flatten().filter(|row| !hidden(row)), names, plan);
    rows(io.caused_by.value_mut().into_iter().flatten(), names, plan);
    rows(io.blame.iter_mut().flatten(), names, plan);
    io.slow.iter_mut().for_each(|request| name(&mut request.who, names));
}
