//! A recording that is read: a file, or all segments of a folder.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    ops::{Bound, RangeBounds},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Entry, FORMAT, Head, Problem, frame,
    frame::Frames,
    incident,
    reader::{self, Range, Reader, Skipped},
    segments,
    words::{self, ColumnWords},
};

/// Kills are remembered for so long.
const BEFORE: SignedDuration = SignedDuration::from_mins(10);

pub struct Recording {
    pub(super) path: PathBuf,
    head: Head,
    segments: Vec<PathBuf>,
}

pub fn open(path: &Path) -> Result<Recording, Problem> {
    let unreadable = |error| Problem::Unreadable { path: path.to_owned(), error };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let segments = if metadata.is_dir() {
        incident::folders(path).and_then(|incidents| segments::with_incidents(path, &incidents)).map_err(unreadable)?
    } else {
        vec![path.to_owned()]
    };
    if segments.is_empty() {
        return Err(Problem::Nothing(path.to_owned()));
    }
    let mut bytes = 0;
    for segment in &segments {
        let unreadable = |error| Problem::Unreadable { path: segment.clone(), error };
        let file = File::open(segment).map_err(unreadable)?;
        bytes += file.metadata().map_err(unreadable)?.len();
        if let Some(head) = first_head(file).map_err(unreadable)? {
            if head.format > FORMAT {
                let Head { format, version, .. } = head;
                return Err(Problem::Newer { path: segment.clone(), version, format });
            }
            return Ok(Recording { path: path.to_owned(), head, segments });
        }
    }
    Err(if bytes == 0 { Problem::Empty(path.to_owned()) } else { Problem::NoRecording(path.to_owned()) })
}

fn first_head(file: File) -> io::Result<Option<Head>> {
    let mut frames = Frames::new(file);
    while let Some(frame) = frames.next()? {
        if let Some(head) = reader::head(&frame) {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

impl Recording {
    /// The same, with what was written since.
    pub fn reopened(&self) -> Result<Self, Problem> {
        open(&self.path)
    }

    /// How many segments there are, and bytes of the last: as long as that is the same, nothing was written.
    pub fn size(&self) -> (usize, u64) {
        let last = self.segments.last().and_then(|segment| fs::metadata(segment).ok());
        (self.segments.len(), last.map_or(0, |file| file.len()))
    }

    /// Of the first segment that has one.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What its columns are, as it says itself: of the last segment that does, since a later version adds some.
    pub fn words(&self) -> Result<Vec<ColumnWords>, Problem> {
        for segment in self.segments.iter().rev() {
            let words = File::open(segment).and_then(words::of);
            let words = words.map_err(|error| Problem::Unreadable { path: segment.clone(), error })?;
            if let Some(words) = words {
                return Ok(words);
            }
        }
        Err(Problem::NoWords { path: self.path.clone(), version: self.head.version.clone() })
    }

    /// Moments of the first and the last entry; none: there are none.
    pub fn span(&self) -> Result<Option<(Timestamp, Timestamp)>, Problem> {
        let first = self.segments.iter().find_map(|segment| span(segment).transpose()).transpose()?;
        let last = self.segments.iter().rev().find_map(|segment| span(segment).transpose()).transpose()?;
        Ok(first.zip(last).map(|((first, _), (_, last))| (first, last)))
    }

    /// What was kept then, and before that, on which findings rest when they are drawn again.
    pub fn entries_and_before(&self, (from, to): (Timestamp, Timestamp)) -> Entries {
        self.entries(from.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)..=to)
    }

    /// What was kept at moments of a range.
    pub fn entries(&self, range: impl RangeBounds<Timestamp>) -> Entries {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        // One that another one follows before the range begins is not looked at.
        let over = |next: &PathBuf| match (segments::began(next), range.0) {
            (Some(began), Bound::Included(from) | Bound::Excluded(from)) => began < from,
            _ => false,
        };
        let early = self.segments.iter().skip(1).take_while(|next| over(next)).count();
        let segments = self.segments.iter().skip(early).cloned().collect();
        Entries { segments, range, reader: None, skipped: Skipped::default() }
    }
}

fn span(segment: &Path) -> Result<Option<(Timestamp, Timestamp)>, Problem> {
    let unreadable = |error| Problem::Unreadable { path: segment.to_owned(), error };
    let (mut frames, mut span) = (Frames::new(File::open(segment).map_err(unreadable)?), None);
    while let Some(frame) = frames.next().map_err(unreadable)? {
        if frame.header.kind != frame::HEAD {
            let at = frame.header.at();
            span = Some((span.map_or(at, |(first, _)| first), at));
        }
    }
    Ok(span)
}

/// In the order in which they were written.
pub struct Entries {
    segments: VecDeque<PathBuf>,
    range: Range,
    reader: Option<(PathBuf, Reader<File>)>,
    /// In segments that are read to their end.
    skipped: Skipped,
}

impl Entries {
    /// What could not be read, so far.
    pub fn skipped(&self) -> Skipped {
        let mut skipped = self.skipped.clone();
        if let Some((_, reader)) = &self.reader {
            skipped.add(&reader.skipped());
        }
        skipped
    }

    fn unreadable(&mut self, path: PathBuf, error: &io::Error) {
        self.skipped.unreadable.insert(path, error.to_string());
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some((path, mut reader)) = self.reader.take() {
                match reader.read() {
                    Ok(Some(entry)) => {
                        self.reader = Some((path, reader));
                        return Some(entry);
                    }
                    Ok(None) => {}
                    Err(error) => self.unreadable(path, &error),
                }
                self.skipped.add(&reader.skipped());
            }
            let path = self.segments.pop_front()?;
            match File::open(&path) {
                Ok(file) => self.reader = Some((path, Reader::new(file, self.range))),
                // It was old, and was removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.unreadable(path, &error),
            }
        }
    }
}
