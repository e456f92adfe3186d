//! Some victims and owners of block I/O; devices count everybody.

use super::{bound_some, keep, keep_some};
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::io::Io,
};

pub fn select(io: &mut Io, plan: &Plan) {
    if let Some(rows) = io.stalled.value_mut() {
        keep_some(rows, &plan.filter);
    }
    if let Some(rows) = io.caused_by.value_mut() {
        keep_some(rows, &plan.filter);
    }
    if let Some(rows) = &mut io.blame {
        keep_some(rows, &plan.filter);
    }
    keep(&mut io.slow, &plan.filter);
}

pub fn bound(io: &mut Io, filter: &Filter) {
    if let Some(rows) = io.stalled.value_mut() {
        bound_some(rows, filter);
    }
    if let Some(rows) = io.caused_by.value_mut() {
        bound_some(rows, filter);
    }
    if let Some(rows) = &mut io.blame {
        bound_some(rows, filter);
    }
}
