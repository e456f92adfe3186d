//! Names of those who wait for disks, and of those because of whom.

use super::{all, file_server, rows};
use crate::{
    cli::plan::Plan,
    names::Names,
    reasons::Kind,
    snapshot::io::{Io, Stalled},
};

pub fn resolve(io: &mut Io, names: &mut Names, plan: &Plan) {
    let hidden =
        |row: &Stalled| row.kernel_thread && !plan.json && !plan.io.as_ref().is_some_and(|io| io.kernel_threads);
    rows(io.stalled.value_mut().into_iter().flatten().filter(|row| !hidden(row)), names, plan);
    let long = io.stalled.value_mut().into_iter().flatten().filter(|row| !row.kernel_thread && is_long(row));
    for row in long {
        if let (Some(pid), Some(disk)) = (row.who.pid, &row.disk) {
            row.io_limit = names.io_limit(pid, disk);
        }
        if row.now > 0 && row.is_because(&[Kind::Fuse]) {
            row.server = file_server(&row.who, names);
        }
    }
    rows(io.caused_by.value_mut().into_iter().flatten(), names, plan);
    all(io.begun.iter_mut().map(|begun| &mut begun.who), names);
    rows(io.blame.iter_mut().flatten(), names, plan);
    all(io.slow.iter_mut().map(|request| &mut request.who), names);
}

/// So long that a limit may be why.
fn is_long(row: &Stalled) -> bool {
    const LONG_NS: u64 = 50_000_000;
    row.ended_max_ns >= LONG_NS || row.before_start() || row.age_ns().is_some_and(|age_ns| age_ns >= LONG_NS)
}
