//! Some victims and owners of block I/O; devices count everybody.

use super::{bound_some, keep, keep_some};
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::io::Io,
};

pub fn select(io: &mut Io, plan: &Plan) {
    keep_some(io.stalled.value_mut(), &plan.filter);
    keep_some(io.caused_by.value_mut(), &plan.filter);
    keep_some(&mut io.blame, &plan.filter);
    keep(&mut io.slow, &plan.filter);
}

pub fn bound(io: &mut Io, filter: &Filter) {
    bound_some(io.stalled.value_mut(), filter);
    bound_some(io.caused_by.value_mut(), filter);
    bound_some(&mut io.blame, filter);
}
