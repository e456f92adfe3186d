//! The kernel's log, record by record (`/dev/kmsg`): our own place in it, which nobody else moves.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    time::Duration,
};

use crate::{log_line::unescaped, oom_report::Line};

const PATH: &str = "/dev/kmsg";
/// The kernel writes no longer ones, escapes included.
const RECORD: usize = 8192;
/// Records that are read at one tick.
const AT_ONCE: usize = 20_000;

/// What one record says.
pub struct Record {
    pub priority: u32,
    pub sequence: u64,
    /// Since boot, on the log's own clock.
    pub at: Duration,
    pub text: Vec<u8>,
}

impl Record {
    /// Anybody who may write there can write like the kernel, but not in its name.
    pub fn is_kernels(&self) -> bool {
        self.priority >> 3 == 0
    }

    pub fn line(&self) -> Line {
        Line { sequence: self.sequence, at: self.at, text: String::from_utf8_lossy(&self.text).into_owned() }
    }
}

pub struct KernelLog {
    file: File,
    record: Box<[u8; RECORD]>,
    /// Records that were overwritten before we had read them.
    pub lost: u64,
    next: Option<u64>,
}

impl KernelLog {
    /// Behind the last record, or before the first one that is still there.
    pub fn open(from_start: bool) -> Result<Self, String> {
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(PATH);
        let mut file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "not allowed to read the kernel's log: run as root, or with CAP_SYSLOG".to_owned()
            }
            _ => format!("can't read the kernel's log: {PATH}: {error}"),
        })?;
        if !from_start {
            file.seek(SeekFrom::End(0)).map_err(|error| format!("can't read the kernel's log: {error}"))?;
        }
        Ok(Self { file, record: Box::new([0; RECORD]), lost: 0, next: None })
    }

    /// Hands over what has come since, so many records at the most: a storm of messages must not hold us up. How many there were.
    pub fn read(&mut self, most: usize, mut each: impl FnMut(Record)) -> usize {
        for count in 0..most {
            match self.file.read(&mut self.record[..]) {
                Ok(bytes) => {
                    let Some(found) = record(&self.record[..bytes]) else { continue };
                    if let Some(next) = self.next {
                        self.lost += found.sequence.saturating_sub(next);
                    }
                    self.next = Some(found.sequence + 1);
                    each(found);
                }
                // Our place was overwritten; the next reading begins at what is left.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return count,
            }
        }
        most
    }

    /// Lines of the kernel itself that have come since.
    pub fn lines(&mut self, mut each: impl FnMut(Line)) {
        self.read(AT_ONCE, |record| {
            if record.is_kernels() {
                each(record.line());
            }
        });
    }

    /// Until there is something to read, but not for longer.
    pub fn wait(&self, most: Duration) {
        let mut fd = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live structure.
        unsafe { libc::poll(&mut fd, 1, most.as_millis() as i32) };
    }
}

/// `4,1063,1063313753,-;python3 invoked …`, and below it lines that begin with a blank.
fn record(bytes: &[u8]) -> Option<Record> {
    let at = bytes.iter().position(|&byte| byte == b';')?;
    let head = std::str::from_utf8(&bytes[..at]).ok()?;
    let mut fields = head.split(',');
    let priority = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let at_us = fields.next()?.parse().ok()?;
    let text = bytes[at + 1..].split(|&byte| byte == b'\n').next()?;
    Some(Record { priority, sequence, at: Duration::from_micros(at_us), text: unescaped(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let found = record(b"6,339,5140900,-;NET: \\x1b[2J \\x5cx41 caf\\xc3\\xa9 \\xff\n SUBSYSTEM=acpi\n").unwrap();
        assert_eq!((found.priority, found.sequence, found.at), (6, 339, Duration::from_micros(5_140_900)));
        assert_eq!(found.text, b"NET: \x1b[2J \\x41 caf\xc3\xa9 \xff");
        assert_eq!(found.line().text, "NET: \x1b[2J \\x41 café \u{fffd}");
        assert!(found.is_kernels());
        let found = record(b"12,7,1,-,caller=T1;hog invoked oom-killer").unwrap();
        assert_eq!(found.line().text, "hog invoked oom-killer");
        assert!(!found.is_kernels(), "written by a process");
        assert!(record(b"").is_none() && record(b"x,1,2;y").is_none() && record(b"6,1").is_none());
    }
}
