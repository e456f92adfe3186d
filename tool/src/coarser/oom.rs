//! Out of memory.

use super::{add, counts};
use crate::{snapshot::oom::Oom, table::Then};

pub fn then(oom: &mut Oom, later: Oom) {
    let Oom { kills, freed, signals, reclaim, totals, inside, limits, vm, memory, .. } = later;
    oom.kills.extend(kills);
    oom.freed.extend(freed);
    oom.signals.extend(signals);
    oom.reclaim.then(reclaim);
    for (sum, total) in oom.totals.iter_mut().zip(totals) {
        add(&mut sum.waits, total.waits);
        add(&mut sum.total_ns, total.total_ns);
    }
    oom.inside = inside;
    oom.limits.then(limits);
    counts(&mut oom.vm, vm);
    oom.memory = memory;
    oom.log_unavailable = later.log_unavailable;
    oom.residents_unavailable = later.residents_unavailable;
    oom.unprotected = later.unprotected;
}
