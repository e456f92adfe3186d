//! Some victims and owners of block I/O; devices count everybody.

use super::keep;
use crate::{cli::plan::Plan, snapshot::io::Io};

pub fn select(io: &mut Io, plan: &Plan) {
    if let Some(rows) = io.stalled.value_mut() {
        keep(rows, &plan.filter);
    }
    if let Some(rows) = io.caused_by.value_mut() {
        keep(rows, &plan.filter);
    }
    if let Some(rows) = &mut io.blame {
        keep(rows, &plan.filter);
    }
    keep(&mut io.slow, &plan.filter);
}
