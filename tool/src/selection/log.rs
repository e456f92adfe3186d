//! Lines of some, and lines with some words; sources are everybody's.

use super::keep;
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::log::Log,
};

pub fn select(log: &mut Log, plan: &Plan) {
    keep(&mut log.lines, &plan.filter);
    keep(&mut log.harm, &plan.filter);
    if let Some(words) = plan.log.as_ref().and_then(|log| log.grep.as_ref()) {
        log.lines.retain(|line| line.text.contains(words));
    }
}

pub fn bound(log: &mut Log, _: &Filter) {
    log.bound();
}
