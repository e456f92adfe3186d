//! One segment that is written.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{
    Entry, Head,
    frame::{self, Header, LARGEST},
    pack::{encode, pack},
    words::Words,
};

/// Of the keys, which what comes after them needs to be read.
const KEYS: SignedDuration = SignedDuration::from_secs(60);

/// What is written, as it is kept: named, but not packed yet.
#[derive(Clone, Debug)]
pub struct Payload {
    pub at: Timestamp,
    pub snapshot: bool,
    pub bytes: Bytes,
}

impl Payload {
    /// None of what is empty.
    pub fn of(entry: &Entry) -> io::Result<Option<Self>> {
        let Some(at) = entry.at() else { return Ok(None) };
        Ok(Some(Self { at, snapshot: matches!(entry, Entry::Snapshot(_)), bytes: encode(entry)?.into() }))
    }
}

/// Each write to it is of whole frames.
pub struct Segment<W> {
    out: W,
    head: Head,
    words: Words,
    key: Option<Key>,
    pub bytes: u64,
}

struct Key {
    payload: Bytes,
    sum: u32,
    at: Timestamp,
}

impl<W: Write> Segment<W> {
    pub fn new(out: W, head: Head) -> Self {
        Self::described(out, head, Words::default())
    }

    /// One that says what its columns are.
    pub fn described(out: W, head: Head, words: Words) -> Self {
        Self { out, head, words, key: None, bytes: 0 }
    }

    pub fn out(&self) -> &W {
        &self.out
    }

    /// Nothing more is written.
    pub fn close(&mut self) -> &mut W {
        self.key = None;
        &mut self.out
    }

    pub fn write(&mut self, entry: &Payload) -> io::Result<()> {
        if entry.bytes.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry is larger than a frame may be"));
        }
        let (mut bytes, at_ns) = (Vec::new(), nanoseconds(entry.at));
        let header = Header { kind: frame::ENTRY, length: 0, unpacked: entry.bytes.len(), at_ns, key: 0, sum: 0 };
        let due = |key: &Key| entry.at.duration_since(key.at).abs() >= KEYS;
        let due = entry.snapshot && self.key.as_ref().is_none_or(due);
        if due || self.bytes == 0 {
            let head = encode(&self.head)?;
            frame::put(&mut bytes, Header { kind: frame::HEAD, unpacked: head.len(), ..header }, &pack(&head, &[])?);
        }
        if self.bytes == 0 {
            self.words.put(&mut bytes, header);
        }
        if due {
            let packed = pack(&entry.bytes, &[])?;
            frame::put(&mut bytes, Header { kind: frame::KEY, ..header }, &packed);
            self.key = Some(Key { sum: crc32fast::hash(&packed), at: entry.at, payload: entry.bytes.clone() });
        } else {
            let (prefix, key) = self.key.as_ref().map_or((&[][..], 0), |key| (&key.payload[..], key.sum));
            frame::put(&mut bytes, Header { key, ..header }, &pack(&entry.bytes, prefix)?);
        }
        self.out.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Segment<File> {
    pub fn sync(&mut self) -> io::Result<()> {
        self.out.sync_data()
    }

    /// As if nothing had been written since it was so long: what is half written would only be in the way.
    pub fn undo(&mut self, bytes: u64) -> io::Result<()> {
        (self.bytes, self.key) = (bytes, None);
        self.out.set_len(bytes)?;
        self.out.seek(SeekFrom::Start(bytes)).map(|_| ())
    }
}

fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}
