//! Lines of both, one after the other.

use crate::{snapshot::log::Log, table::Then};

pub fn then(log: &mut Log, later: Log) {
    let Log { sources, lines, harm } = later;
    log.sources.then(sources);
    log.lines.extend(lines);
    log.harm.extend(harm);
    log.bound();
}
