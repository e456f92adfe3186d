//! From the kernel stack of a task in uninterruptible sleep to what it waits for, in plain words.
//!
//! What is known is data: `reasons/signatures.rs`, one signature a reason, the first that matches wins. Frames are names of functions,
//! innermost first, without offsets and compiler suffixes, as [`parse_stack`] and
//! [`Symbols`](crate::kernel::symbols::Symbols) give them.
//!
//! Stacks come in two shapes: a program in the kernel sees every frame; /proc/PID/task/TID/stack leaves out what belongs
//! to the scheduler, which are the locks too. So signatures ask who wanted to sleep, rather than how: a stack from /proc whose
//! first frame is `do_unlinkat` can only wait for a lock of the filesystem. A lock that no signature knows the owner of can't
//! be told from other waits there, and is "other".

use std::fmt;

pub use kind::Kind;

use crate::kernel::symbols::without_suffix;
use signatures::{QUIET, SIGNATURES, Signature};

mod kind;
mod signatures;

/// Why a task sleeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    pub kind: Kind,
    /// Of [`Kind::Other`] only: the innermost frame that says something.
    pub frame: Option<String>,
}

impl Reason {
    /// The reason in a stack, innermost frame first. `None`: it has no frame with a name, so the reason is not known.
    pub fn of(stack: &[impl AsRef<str>]) -> Option<Self> {
        let stack: Vec<&str> = stack.iter().map(AsRef::as_ref).filter(|frame| !frame.is_empty()).collect();
        let asker = asker(&stack)?;
        let signature = SIGNATURES.iter().find(|signature| signature.matches(&stack, asker));
        let kind = signature.map_or(Kind::Other, |signature| signature.kind);
        Some(Self { kind, frame: (kind == Kind::Other).then(|| asker.to_owned()) })
    }

    /// For people, without the frame; [`fmt::Display`] has it.
    pub fn words(&self) -> &'static str {
        self.kind.words()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.frame {
            Some(frame) => write!(f, "{}: {frame}", self.words()),
            None => f.write_str(self.words()),
        }
    }
}

/// The frame that asked for the sleep: the innermost that is more than a way to sleep. A stack of such ways only (it can
/// be cut short while it is read) is told by the outermost of them.
fn asker<'a>(stack: &[&'a str]) -> Option<&'a str> {
    stack.iter().find(|frame| !any(QUIET, frame)).or(stack.last()).copied()
}

impl Signature {
    fn matches(&self, stack: &[&str], asker: &str) -> bool {
        let asked = self.asked_by.is_empty() || any(self.asked_by, asker);
        asked && self.frames_match(stack)
    }

    fn frames_match(&self, stack: &[&str]) -> bool {
        if self.frames.is_empty() {
            return true;
        }
        let Some(inner) = stack.iter().position(|frame| any(self.frames, frame)) else { return false };
        self.below.is_empty() || stack.iter().skip(inner + 1).any(|frame| any(self.below, frame))
    }
}

/// Whether one of the patterns, separated by blanks, is this name; `*` at the end of one stands for anything.
fn any(patterns: &str, name: &str) -> bool {
    patterns.split_ascii_whitespace().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    })
}

/// Names of the functions in the text of /proc/PID/task/TID/stack (`[<0>] name.isra.0+0x12/0x34 [module]`), innermost
/// first. Frames without a name are left out.
pub fn parse_stack(text: &str) -> Vec<&str> {
    let frame = |line| {
        let (_, place) = str::split_once(line, "] ")?;
        let name = without_suffix(place.trim_start().split(['+', ' ']).next()?);
        (!name.is_empty() && !name.starts_with("0x")).then_some(name)
    };
    text.lines().filter_map(frame).collect()
}

#[cfg(test)]
mod tests;
