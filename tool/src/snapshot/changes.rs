//! The `changes` probe's part of a snapshot: what is not as it was.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Who, who::About};
pub use crate::change::{Certainty, ChangeKind, Did};
use crate::table::{Bounded, Known, named, placed, table};

/// Reasons why something is not known.
pub const NOT_KEPT: &str = "nothing keeps who did it";
pub const FIRST_LOOK: &str = "the first look goes on";

named!(ChangeKind, Did, Certainty);

placed! {
    Change: row => (Reverse(row.at), row.kind, row.what.clone());
}

impl About for Change {
    fn whom(&mut self) -> impl Iterator<Item = &mut Who> {
        self.who.iter_mut()
    }
}

/// The `changes` probe's part of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The latest first.
    pub changes: Bounded<Change>,
    pub watched: Vec<Watch>,
}

table! {
    /// Something that is not as it was before, found in this interval.
    pub struct Change in "changes.changes" {
        /// When it was, or by when it was so.
        at: Timestamp = label(), text [own("TIME", "time").left()];
        /// The last look at which it was not so: it was between the two. Absent where the host keeps when it was.
        after: Option<Timestamp> = info().optional();
        /// What kind of thing has changed.
        kind: ChangeKind = label(), text [words("KIND").left()];
        /// What happened to it.
        did: Did = label(), text [words("CHANGE").left()];
        /// Its name or path.
        what: String = label(), text [own("WHAT", "what").left()];
        /// What was before; absent where there was nothing, or nothing that can be said in a word.
        from: Option<String> = info().optional(), text [own("DETAIL", "detail").left()];
        /// What is now, alike.
        to: Option<String> = info().optional();
        /// Who did it.
        author: Known<String> = info().key("by");
        /// The process or cgroup that it is about; absent where it is about the host.
        who: Option<Who> = info().columns(Who::COLUMNS).optional();
        /// How sure its time is.
        certainty: Certainty = info();
        /// Where it was seen.
        source: String = info();
    }

    /// Places where changes are looked for, together.
    pub struct Watch in "changes.watched" {
        /// Which.
        area: String = label();
        /// What the last look that has ended took of a CPU.
        took_ns: Known<u64> = gauge("ns").now();
        /// For how long a look has been going on.
        goes_on_ns: Option<u64> = gauge("ns").now().optional();
        /// What there was no room for.
        left_out: u64 = gauge("entries").now().sparse();
        /// What could not be looked at, and why.
        problem: Option<String> = info().optional();
    }
}
