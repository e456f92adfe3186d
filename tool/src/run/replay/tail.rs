//! The end of a recording that is still written.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::{runtime::Builder, time::timeout};

use crate::{
    record::{Entry, Recording},
    screen::{Ask, Screen},
};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What was read last.
pub struct Tail<'a> {
    recording: &'a Recording,
    /// Segments, and bytes of the last of them.
    size: (usize, u64),
    at: Timestamp,
    /// Entries of that moment.
    entries: usize,
}

impl<'a> Tail<'a> {
    pub fn of(recording: &'a Recording) -> Self {
        // What was written while it was read is looked at once more.
        Self { recording, size: (0, 0), at: Timestamp::MIN, entries: 0 }
    }

    pub fn pass(&mut self, entry: &Entry) {
        let Some(at) = entry.at() else { return };
        self.entries = if at == self.at { self.entries + 1 } else { 1 };
        self.at = at;
    }

    /// Shows what comes, until a person ends it. Only the segments from the last entry on are read again, and of these only what is new is unpacked.
    pub fn follow(mut self, screen: &mut Screen, shown: &mut dyn FnMut(Entry) -> Option<Entry>) -> Result<()> {
        let waiting = Builder::new_current_thread().enable_time().build()?;
        loop {
            let asked = waiting.block_on(async { timeout(LOOK, screen.asked()).await });
            if let Ok(Ask::End) = asked {
                return Ok(());
            }
            for entry in self.added().into_iter().filter_map(&mut *shown) {
                if !screen.load(&entry)? {
                    return Ok(());
                }
            }
        }
    }

    fn added(&mut self) -> Vec<Entry> {
        // A folder may be empty meanwhile.
        let Ok(recording) = self.recording.reopened() else { return Vec::new() };
        let size = recording.size();
        if std::mem::replace(&mut self.size, size) == size {
            return Vec::new();
        }
        let (from, mut seen) = (self.at, self.entries);
        let known = |entry: &Entry| {
            let known = seen > 0 && entry.at() == Some(from);
            seen = seen.saturating_sub(1);
            known
        };
        let added: Vec<Entry> = recording.entries(from..).skip_while(known).collect();
        added.iter().for_each(|entry| self.pass(entry));
        added
    }
}
