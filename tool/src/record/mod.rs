//! What a run saw, kept in files and read back: the format, its writer and its reader.
//!
//! A recording is a file, or a folder of such files, each of some minutes: its **segments**. A segment is a sequence of **frames** and
//! nothing else:
//!
//! ```text
//! segment = frame*
//! frame   = header (36 bytes: kind, lengths, moment, sum of the payload, sum of the header) payload   (frame.rs)
//! payload = zstd of MessagePack, structs as maps                                                      (pack.rs)
//! ```
//!
//! | kind | payload | compressed |
//! |---|---|---|
//! | head | [`Head`]: which host, which kernel, how it was measured; again before every key | alone |
//! | key | [`Entry`], a snapshot; once a minute | alone |
//! | entry | [`Entry`] | with the key before it as prefix, or alone where there is none yet |
//! | words | all columns with unit and meaning ([`ColumnWords`]); once, after the first head | alone |
//!
//! So a frame that is damaged costs itself; a key, the rest of its minute. A reader that meets what is no frame looks for the next one.
//! Payloads name their columns: those that a later version adds are skipped, and so are frames of kinds, and entries, that only it knows.
//! A change that makes earlier readers wrong raises [`FORMAT`].

#[cfg(any(test, fuzzing))]
pub mod any_bytes;
mod frame;
mod head;
mod incident;
mod pack;
mod problem;
mod range;
mod read;
mod reader;
mod recorder;
mod segments;
mod store;
#[cfg(test)]
pub mod tests;
mod words;
mod write;

pub use self::{
    head::{DiskSize, FORMAT, Head},
    incident::{Incident, all as incidents},
    pack::{decode, encode},
    problem::Problem,
    read::{Entries, Recording, open},
    reader::{Reader, Skipped},
    recorder::Recorder,
    store::{Folder, Single, Store},
    words::{ColumnWords, lacking},
    write::{Payload, Segment},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    engine::Output,
    snapshot::{Snapshot, oom::Kill, tcp::Events},
};

/// What was kept, in the order in which it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// Whole, with the findings that were told.
    Snapshot(Box<Snapshot>),
    Events(Events),
    Kills(Vec<Kill>),
    Mark(Mark),
    Dropped(Gap),
}

/// A note from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub at: Timestamp,
    pub text: String,
}

/// What the recorder could not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the recorder could write again.
    pub at: Timestamp,
    pub entries: u64,
    pub why: String,
}

impl Entry {
    /// None of what is empty.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Snapshot(snapshot) => Some(snapshot.at),
            Self::Events(events) => events.first(),
            Self::Kills(kills) => kills.first().map(|kill| kill.at),
            Self::Mark(mark) => Some(mark.at),
            Self::Dropped(gap) => Some(gap.at),
        }
    }
}

impl From<Output> for Entry {
    fn from(output: Output) -> Self {
        match output {
            Output::Snapshot(snapshot) => Self::Snapshot(snapshot),
            Output::Events(events) => Self::Events(events),
            Output::Kills(kills) => Self::Kills(kills),
        }
    }
}
