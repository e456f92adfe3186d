//! Entries of one segment.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    ops::{Bound, RangeBounds},
    path::PathBuf,
};

use jiff::Timestamp;

use super::{
    Entry, FORMAT, Head,
    frame::{self, Frame, Frames},
    pack::{decode, unpack},
};

pub type Range = (Bound<Timestamp>, Bound<Timestamp>);

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Stretches of files that are no frames.
    pub damaged: u64,
    /// Entries whose key is not there.
    pub without_key: u64,
    /// Entries that only a later version understands.
    pub not_understood: u64,
    /// Files that could not be read to their end, and why.
    pub unreadable: BTreeMap<PathBuf, String>,
}

impl Skipped {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, more: &Self) {
        self.damaged += more.damaged;
        self.without_key += more.without_key;
        self.not_understood += more.not_understood;
        self.unreadable.extend(more.unreadable.clone());
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.damaged, "damaged places"),
            (self.without_key, "entries that need what is damaged"),
            (self.not_understood, "entries that this version does not understand"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let files = self.unreadable.iter().map(|(path, why)| format!("{}: {why}", path.display()));
        f.write_str(&counts.chain(files).collect::<Vec<_>>().join(", "))
    }
}

pub struct Reader<R> {
    frames: Frames<R>,
    range: Range,
    key: Option<Key>,
    /// What comes is of a later format.
    newer: bool,
    skipped: Skipped,
}

struct Key {
    frame: Frame,
    /// Once an entry needs it.
    payload: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    pub fn new(input: R, range: Range) -> Self {
        Self { frames: Frames::new(input), range, key: None, newer: false, skipped: Skipped::default() }
    }

    pub fn skipped(&self) -> Skipped {
        let mut skipped = self.skipped.clone();
        skipped.damaged += self.frames.damaged;
        skipped
    }

    /// None at the end.
    pub fn read(&mut self) -> io::Result<Option<Entry>> {
        while let Some(frame) = self.frames.next()? {
            let wanted = self.range.contains(&frame.header.at());
            match frame.header.kind {
                frame::HEAD => self.newer = head(&frame).is_some_and(|head| head.format > FORMAT),
                frame::KEY | frame::ENTRY if self.newer => self.skipped.not_understood += u64::from(wanted),
                frame::KEY => {
                    let entry = wanted.then(|| self.entry(&frame)).flatten();
                    self.key = Some(Key { frame, payload: None });
                    if entry.is_some() {
                        return Ok(entry);
                    }
                }
                frame::ENTRY if wanted => {
                    let entry = self.entry(&frame);
                    if entry.is_some() {
                        return Ok(entry);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// None: it is counted.
    fn entry(&mut self, frame: &Frame) -> Option<Entry> {
        let payload = if frame.header.key == 0 {
            alone(frame)
        } else {
            let Some(key) = self.key.as_mut().filter(|key| key.frame.header.sum == frame.header.key) else {
                self.skipped.without_key += 1;
                return None;
            };
            if key.payload.is_none() {
                key.payload = alone(&key.frame);
            }
            unpack(&frame.payload, frame.header.unpacked, key.payload.as_deref().unwrap_or_default()).ok()
        };
        let Some(payload) = payload else {
            self.skipped.damaged += 1;
            return None;
        };
        let entry: Option<Entry> = decode(&payload);
        self.skipped.not_understood += u64::from(entry.is_none());
        entry
    }
}

/// The payload of a frame that needs no other.
fn alone(frame: &Frame) -> Option<Vec<u8>> {
    unpack(&frame.payload, frame.header.unpacked, &[]).ok()
}

/// None: it has none.
pub fn head(frame: &Frame) -> Option<Head> {
    let payload = (frame.header.kind == frame::HEAD).then(|| alone(frame))??;
    decode(&payload)
}
