//! Changes of all of the time.

use crate::{snapshot::changes::Changes, table::Then};

pub fn then(changes: &mut Changes, later: Changes) {
    changes.changes.then(later.changes);
    changes.watched = later.watched;
}
