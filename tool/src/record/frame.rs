//! Frames: how pieces of a file are told apart from garbage.
//!
//! ```text
//!  0 magic   4 kind, three zeros   8 length   12 length when unpacked   16 moment, ns   24 sum of its key   28 sum   32 sum of all this
//! ```
//!
//! Numbers are little-endian, sums CRC-32. A length is believed once the header's sum is right, and then only up to [`LARGEST`].

use std::io::{self, Read};

use jiff::Timestamp;

const MAGIC: [u8; 4] = [0xf5, b'S', b'W', b'R'];
const HEADER: usize = 36;
/// A snapshot of a host with thousands of rows in each table is some megabytes.
pub const LARGEST: usize = 64 << 20;
/// Read at once.
const CHUNK: usize = 256 << 10;

pub const HEAD: u8 = 1;
pub const KEY: u8 = 2;
pub const ENTRY: u8 = 3;
pub const WORDS: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: u8,
    pub length: usize,
    /// Of the payload when it is unpacked.
    pub unpacked: usize,
    pub at_ns: i64,
    /// The sum of the key's payload that is this one's prefix; 0: none.
    pub key: u32,
    pub sum: u32,
}

impl Header {
    pub fn at(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.at_ns.into()).unwrap_or_default()
    }

    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.kind;
        bytes[8..12].copy_from_slice(&(self.length as u32).to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.unpacked as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.at_ns.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.key.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.sum.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// None: these are no header.
    fn of(bytes: &[u8]) -> Option<Self> {
        let u32_at = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        if bytes.get(..4)? != MAGIC || crc32fast::hash(bytes.get(..32)?) != u32_at(32)? {
            return None;
        }
        let (length, unpacked) = (u32_at(8)? as usize, u32_at(12)? as usize);
        let at_ns = i64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
        let header = Self { kind: bytes[4], length, unpacked, at_ns, key: u32_at(24)?, sum: u32_at(28)? };
        (length <= LARGEST && unpacked <= LARGEST).then_some(header)
    }
}

/// Adds a frame. Its length and sum are those of the payload.
pub fn put(out: &mut Vec<u8>, header: Header, payload: &[u8]) {
    out.extend_from_slice(&Header { length: payload.len(), sum: crc32fast::hash(payload), ..header }.bytes());
    out.extend_from_slice(payload);
}

pub struct Frame {
    pub header: Header,
    pub payload: Vec<u8>,
}

/// Frames of a file, from its beginning.
pub struct Frames<R> {
    input: R,
    /// What is read of it and not looked at, from `from` on.
    buffer: Vec<u8>,
    from: usize,
    /// Stretches of bytes that are no frame.
    pub damaged: u64,
    in_garbage: bool,
}

impl<R: Read> Frames<R> {
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), from: 0, damaged: 0, in_garbage: false }
    }

    /// None at the end of what can be read.
    pub fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let whole = self.fill(HEADER)?;
            if !whole && self.rest().is_empty() {
                return Ok(None);
            }
            if let Some(header) = Header::of(self.rest())
                && self.fill(HEADER + header.length)?
            {
                let payload = &self.rest()[HEADER..HEADER + header.length];
                if crc32fast::hash(payload) == header.sum {
                    let payload = payload.to_vec();
                    self.from += HEADER + header.length;
                    self.in_garbage = false;
                    return Ok(Some(Frame { header, payload }));
                }
            }
            self.skip();
        }
    }

    /// To where a frame may begin next.
    fn skip(&mut self) {
        if !std::mem::replace(&mut self.in_garbage, true) {
            self.damaged += 1;
        }
        let beyond = self.rest().get(1..).unwrap_or_default();
        let next = beyond.iter().position(|&byte| byte == MAGIC[0]).unwrap_or(beyond.len());
        self.from += 1 + next;
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.from..).unwrap_or_default()
    }

    /// Whether there are so many bytes. Memory grows with what was read, not with what a header promises.
    fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        while self.rest().len() < bytes {
            if self.from > CHUNK {
                self.buffer.drain(..self.from);
                self.from = 0;
            }
            let read = (&mut self.input).take(CHUNK as u64).read_to_end(&mut self.buffer)?;
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
