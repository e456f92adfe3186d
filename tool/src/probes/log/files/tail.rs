//! One file, whatever its path is by now: lines that are added at its end.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use crate::log_line::LONGEST;

/// Read at one look; of what is added faster, the middle is passed over.
const ROUND: u64 = 4 << 20;
const CHUNK: usize = 64 << 10;
/// Lines that are looked at of one look, and how much at its end is looked at in any case.
const LOOKED: u64 = 1000;
const END: u64 = 16 << 10;

/// Device and inode.
pub type Id = (u64, u64);

pub struct Tail {
    file: File,
    pub id: Id,
    position: u64,
    /// Of a line whose end is not there yet: its begin, and its length.
    begun: Vec<u8>,
    length: u64,
    /// The begin of the line that it stands in was passed over.
    torn: bool,
    /// In which round it grew last.
    pub touched: u64,
}

/// What was not handed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub lines: u64,
    pub bytes: u64,
    pub grew: bool,
}

pub fn id(path: &Path) -> io::Result<Id> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

impl Tail {
    /// At its begin.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Whoever opens a pipe or a device may wait for ever, or change something.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
        let found = file.metadata()?;
        let id = (found.dev(), found.ino());
        Ok(Self { file, id, position: 0, begun: Vec::new(), length: 0, torn: false, touched: 0 })
    }

    /// Goes to its end, and hands over the last lines that are there.
    pub fn look_back(&mut self, mut line: impl FnMut(&[u8], u64)) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.position = length.saturating_sub(CHUNK as u64);
        self.torn = self.position > 0;
        self.chunks(length, &mut Passed::default(), &mut line)?;
        Ok(())
    }

    /// Hands over what was added.
    pub fn read(&mut self, line: &mut impl FnMut(&[u8], u64)) -> io::Result<Passed> {
        let length = self.file.metadata()?.len();
        let mut passed = Passed { grew: length != self.position, ..Passed::default() };
        if length < self.position {
            self.position = 0;
            self.torn = false;
            self.forget_begun();
        }
        let begin = self.position;
        self.chunks(length.min(begin + ROUND / 2), &mut passed, line)?;
        // What is written faster than that is passed over, but for its end.
        let rest = length.saturating_sub(self.position);
        if rest > ROUND / 2 {
            passed.bytes += rest - END;
            self.position = length - END;
            self.torn = true;
            self.forget_begun();
        }
        self.chunks(length, &mut passed, line)?;
        Ok(passed)
    }

    fn forget_begun(&mut self) {
        self.begun.clear();
        self.length = 0;
    }

    fn chunks(&mut self, end: u64, passed: &mut Passed, line: &mut impl FnMut(&[u8], u64)) -> io::Result<()> {
        if self.position >= end {
            return Ok(());
        }
        let (mut chunk, mut looked) = (vec![0; CHUNK], 0);
        while self.position < end {
            let most = CHUNK.min((end - self.position) as usize);
            let bytes = self.file.read_at(&mut chunk[..most], self.position)?;
            if bytes == 0 {
                break;
            }
            for piece in chunk[..bytes].split_inclusive(|byte| *byte == b'\n') {
                self.position += piece.len() as u64;
                let is_looked_at = looked < LOOKED || self.position + END >= end;
                looked += u64::from(self.piece(piece, is_looked_at, passed, line));
            }
        }
        Ok(())
    }

    /// Whether a line came to its end.
    fn piece(
        &mut self,
        piece: &[u8],
        is_looked_at: bool,
        passed: &mut Passed,
        line: &mut impl FnMut(&[u8], u64),
    ) -> bool {
        let Some(end) = piece.strip_suffix(b"\n") else {
            self.begin(piece);
            return false;
        };
        let is_torn = std::mem::take(&mut self.torn);
        if is_looked_at && !is_torn {
            self.begin(end);
            line(&self.begun, self.length);
        }
        passed.lines += u64::from(!is_looked_at && !is_torn);
        self.forget_begun();
        true
    }

    fn begin(&mut self, piece: &[u8]) {
        let room = LONGEST - self.begun.len();
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
        self.length += piece.len() as u64;
    }
}
