//! A log that is written: what is new in it, whether it was rotated or not.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{for_tests, kernel::stat::stat};

/// Read at one look, of the end of what was there before.
const READ: u64 = 1 << 20;
/// Of one line.
const LINE: usize = 4096;

pub struct LogFile {
    path: PathBuf,
    /// What records of it are as long as; of lines, 1.
    record: u64,
    /// Inode, and how far it was read.
    read: Option<(u64, u64)>,
}

impl LogFile {
    /// Of lines.
    pub fn new(path: &str) -> Self {
        Self::records(path, 1)
    }

    pub fn records(path: &str, record: usize) -> Self {
        Self { path: for_tests::in_place_of(path), record: record as u64, read: None }
    }

    /// Whole lines that are new; at first those at its end, and of the one before it where that was written since.
    pub fn lines(&mut self, since: Timestamp) -> Vec<String> {
        let bytes = self.bytes(since);
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(|line| line[..line.floor_char_boundary(LINE)].to_owned()).collect()
    }

    pub fn bytes(&mut self, since: Timestamp) -> Vec<u8> {
        let Some((mut file, inode, length)) = open(&self.path) else { return Vec::new() };
        let before = PathBuf::from(format!("{}.1", self.path.display()));
        let (mut bytes, from) = match self.read {
            Some((known, read)) if known == inode && read <= length => (Vec::new(), read),
            // It was rotated, or emptied.
            Some((known, read)) => {
                let rest = open(&before).filter(|(_, inode, _)| *inode == known);
                (rest.map(|(mut file, ..)| part(&mut file, read)).unwrap_or_default(), 0)
            }
            None => {
                let rest = open(&before).filter(|_| is_written_since(&before, since));
                (
                    rest.map(|(mut file, _, length)| part(&mut file, self.end(length))).unwrap_or_default(),
                    self.end(length),
                )
            }
        };
        let mut new = part(&mut file, from);
        new.truncate(self.whole(&new));
        self.read = Some((inode, from + new.len() as u64));
        bytes.append(&mut new);
        bytes
    }

    /// Where its last part begins.
    fn end(&self, length: u64) -> u64 {
        length.saturating_sub(READ / self.record * self.record)
    }

    /// Bytes of whole lines or records. A line that is longer than what is read at once is one.
    fn whole(&self, bytes: &[u8]) -> usize {
        if self.record > 1 {
            return bytes.len() - bytes.len() % self.record as usize;
        }
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
        end.unwrap_or(if bytes.len() as u64 >= READ { bytes.len() } else { 0 })
    }
}

/// A regular file, with its inode and length.
fn open(path: &Path) -> Option<(File, u64, u64)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    let meta = file.metadata().ok().filter(fs::Metadata::is_file)?;
    Some((file, meta.ino(), meta.len()))
}

fn part(file: &mut File, from: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(from)).is_ok() {
        // What was read until an error is as good.
        let _ = file.take(READ).read_to_end(&mut bytes);
    }
    bytes
}

fn is_written_since(path: &Path, since: Timestamp) -> bool {
    stat(path, false).is_some_and(|it| it.written >= since)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_is_read_once_through_rotation_and_truncation() {
        let path = std::env::temp_dir().join(format!("stillwatch-follow-{}", std::process::id()));
        let old = PathBuf::from(format!("{}.1", path.display()));
        let append = |text: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let _ = fs::remove_file(&path);
        let mut followed = LogFile { path: path.clone(), record: 1, read: None };
        let mut lines = || followed.lines(Timestamp::MIN);
        assert!(lines().is_empty());
        fs::write(&old, "oldest\n").unwrap();
        append("first\nsec");
        assert_eq!(lines(), ["oldest", "first"]);
        append("ond\nthird\n");
        assert_eq!(lines(), ["second", "third"]);
        append("before it was rotated\n");
        fs::rename(&path, &old).unwrap();
        append("after\n");
        assert_eq!(lines(), ["before it was rotated", "after"]);
        fs::write(&path, "\n").unwrap();
        assert_eq!(lines(), [""]);
        append(&format!("{}\nshort\n", "x".repeat(3 << 20)));
        let all: Vec<String> = (0..5).flat_map(|_| lines()).collect();
        assert!(all.iter().all(|line| line.len() <= LINE) && all.last().is_some_and(|line| line == "short"));
        assert!(lines().is_empty());
        [path, old].into_iter().for_each(|path| fs::remove_file(path).unwrap());
    }

    #[test]
    fn only_the_end_of_a_long_one_is_read() {
        let path = std::env::temp_dir().join(format!("stillwatch-long-{}", std::process::id()));
        fs::write(&path, "0123456\n".repeat(200_000)).unwrap();
        let of = |record| LogFile { path: path.clone(), record, read: None }.bytes(Timestamp::MAX).len() as u64;
        assert_eq!((of(1), of(1000), of(384)), (READ, READ / 1000 * 1000, READ / 384 * 384));
        fs::remove_file(&path).unwrap();
    }
}
