//! What a recording says beside its intervals, in a line each.

use jiff::Timestamp;

use super::{View, format, values::clock};
use crate::{escape::escape, snapshot::oom::Kill};

/// One line at once: the finding of the next interval says more, and `stillwatch oom` all.
pub fn kill(kill: &Kill, view: &View) -> String {
    let victim = format::name(&kill.victim.who);
    view.bold(&format!("{}  the kernel killed {victim} for want of memory", clock(kill.at, view))) + "\n"
}

/// A line of its own, between intervals.
pub enum Note<'a> {
    /// Somebody made it.
    Mark { text: &'a str },
    /// A recorder could not keep what was before.
    Gap { entries: u64, why: &'a str },
}

impl Note<'_> {
    pub fn line(&self, at: Timestamp, view: &View) -> String {
        let words = match self {
            Self::Mark { text } => format!("mark: {}", escape(text)),
            Self::Gap { entries, why } => format!("{entries} intervals and events were not recorded: {}", escape(why)),
        };
        view.bold(&format!("{}  {words}", clock(at, view))) + "\n"
    }
}
