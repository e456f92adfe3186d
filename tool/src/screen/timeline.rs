//! The minutes that can be gone back to: entries, packed as recordings are, in memory that is bounded.
//!
//! A minute is a segment of a recording ([`crate::record`]): what is kept is written to a file as it is.

use std::{collections::VecDeque, io, ops::Bound};

use jiff::{SignedDuration, Timestamp};

use super::digest::{Digest, What};
use crate::{
    record::{Entry, Head, Payload, Reader, Segment, decode},
    snapshot::Snapshot,
};

/// Of one segment; each needs a key of its own.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

pub struct Timeline {
    head: Head,
    /// Bytes that it may take.
    most: usize,
    minutes: VecDeque<Minute>,
    digests: VecDeque<Digest>,
    /// Number of the first entry that is kept; numbers are not used again.
    first: u64,
    /// Entries that had no room any more.
    left_out: u64,
}

struct Minute {
    segment: Segment<Vec<u8>>,
    began: Timestamp,
    /// Where each entry ends.
    ends: Vec<usize>,
}

impl Timeline {
    pub fn new(head: Head, most: usize) -> Self {
        let (minutes, digests) = (VecDeque::new(), VecDeque::new());
        Self { head, most, minutes, digests, first: 0, left_out: 0 }
    }

    /// Keeps an entry, and says what it is; none of what is empty, or of no type that is known.
    pub fn keep(&mut self, payload: &Payload) -> io::Result<Option<Entry>> {
        let Some(entry) = decode::<Entry>(&payload.bytes) else { return Ok(None) };
        let Some(digest) = Digest::of(&entry) else { return Ok(None) };
        let over = |minute: &Minute| payload.at.duration_since(minute.began).abs() >= MINUTE;
        if self.minutes.back().is_none_or(over) {
            if let Some(minute) = self.minutes.back_mut() {
                minute.segment.close().shrink_to_fit();
            }
            let segment = Segment::new(Vec::new(), self.head.clone());
            self.minutes.push_back(Minute { segment, began: payload.at, ends: Vec::new() });
        }
        if let Some(minute) = self.minutes.back_mut() {
            minute.segment.write(payload)?;
            minute.ends.push(minute.segment.out().len());
            self.digests.push_back(digest);
        }
        self.bound();
        Ok(Some(entry))
    }

    fn bound(&mut self) {
        while self.bytes() > self.most && self.minutes.len() > 1 {
            let Some(oldest) = self.minutes.pop_front() else { return };
            let entries = oldest.ends.len();
            self.digests.drain(..entries);
            self.first += entries as u64;
            self.left_out += entries as u64;
        }
    }

    pub fn bytes(&self) -> usize {
        self.minutes.iter().map(|minute| minute.segment.out().capacity()).sum()
    }

    pub fn most(&self) -> usize {
        self.most
    }

    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Numbered, the oldest first.
    pub fn digests(&self) -> impl DoubleEndedIterator<Item = (u64, &Digest)> + ExactSizeIterator {
        let first = self.first;
        self.digests.iter().enumerate().map(move |(at, digest)| (first + at as u64, digest))
    }

    pub fn digest(&self, number: u64) -> Option<&Digest> {
        self.digests.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The first and the last interval.
    pub fn span(&self) -> Option<(u64, u64)> {
        let mut intervals = self.digests().filter(|(_, digest)| digest.what.is_interval()).map(|(number, _)| number);
        let first = intervals.next()?;
        Some((first, intervals.next_back().unwrap_or(first)))
    }

    /// An interval, with the kills that were told before it.
    pub fn snapshot(&self, number: u64) -> Option<Box<Snapshot>> {
        let Entry::Snapshot(mut snapshot) = self.entry(number)? else { return None };
        let told = (self.first..number).rev().map_while(|number| Some((number, self.digest(number)?)));
        let told: Vec<u64> = told
            .take_while(|(_, digest)| !digest.what.is_interval())
            .filter(|(_, digest)| digest.what == What::Kill)
            .map(|(number, _)| number)
            .collect();
        for number in told {
            if let (Some(Entry::Kills(mut kills)), Some(oom)) = (self.entry(number), &mut snapshot.oom) {
                kills.append(&mut oom.kills);
                oom.kills = kills;
            }
        }
        Some(snapshot)
    }

    pub fn entry(&self, number: u64) -> Option<Entry> {
        let mut at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        for minute in &self.minutes {
            let Some(&end) = minute.ends.get(at) else {
                at -= minute.ends.len();
                continue;
            };
            let moment = Bound::Included(self.digest(number)?.at);
            let mut reader = Reader::new(minute.segment.out().get(..end)?, (moment, moment));
            let mut entry = None;
            while let Ok(Some(next)) = reader.read() {
                entry = Some(next);
            }
            return entry;
        }
        None
    }

    /// What is kept, as a recording.
    pub fn recording(&self) -> Vec<u8> {
        self.minutes.iter().flat_map(|minute| minute.segment.out()).copied().collect()
    }
}
