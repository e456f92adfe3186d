//! What was found since the last sample, as it is shown.

use std::time::Duration;

use super::Span;
use crate::{
    cli::plan,
    sample,
    snapshot::{
        Who,
        changes::{Certainty, Change, Changes, FIRST_LOOK, NOT_KEPT, Watch},
    },
    table::{Known, Why, in_order},
};

pub fn between(_: &sample::Changes, after: &sample::Changes, _: &Span, _: &plan::Changes) -> Changes {
    let mut changes: Vec<Change> = after.found.iter().map(change).collect();
    in_order(&mut changes);
    Changes { changes: changes.into(), watched: after.watched.iter().map(watch).collect() }
}

fn change(found: &sample::Change) -> Change {
    let sample::Change { kind, did, what, at, after, from, to, author, pid, cgroup, source } = found.clone();
    let about = pid.is_some() || cgroup.is_some();
    Change {
        at,
        after,
        kind,
        did,
        what,
        from,
        to,
        author: Known::of(author, NOT_KEPT),
        who: about.then(|| Who { pid, cgroup, ..Who::default() }),
        certainty: if after.is_some() { Certainty::Between } else { Certainty::Kept },
        source: source.to_owned(),
    }
}

fn watch(found: &sample::Watch) -> Watch {
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Watch {
        area: found.area.to_owned(),
        took_ns: match found.took {
            Some(took) => ns(took).into(),
            None => Known::Not(Why::NotLookedAt(FIRST_LOOK.into())),
        },
        goes_on_ns: found.goes_on.map(ns),
        left_out: found.left_out,
        problem: found.why.clone(),
    }
}
