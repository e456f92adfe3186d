//! The kernel's log, record by record (`/dev/kmsg`): our own place in it, which nobody else moves.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use crate::oom_report::Line;

const PATH: &str = "/dev/kmsg";
/// The kernel writes no longer ones, escapes included.
const RECORD: usize = 8192;
/// Records read at one time: a storm of messages must not hold us up.
const AT_ONCE: usize = 20_000;

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

    /// Hands over what has come since.
    pub fn read(&mut self, mut line: impl FnMut(Line)) {
        for _ in 0..AT_ONCE {
            match self.file.read(&mut self.record[..]) {
                Ok(bytes) => {
                    let Some(found) = record(&self.record[..bytes]) else { continue };
                    if let Some(next) = self.next {
                        self.lost += found.0.sequence.saturating_sub(next);
                    }
                    self.next = Some(found.0.sequence + 1);
                    // Anybody who may write there can write like the kernel, but not in its name.
                    if found.1 {
                        line(found.0);
                    }
                }
                // Our place was overwritten; the next reading begins at what is left.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return,
            }
        }
    }
}

/// `4,1063,1063313753,-;python3 invoked …`, and below it lines that begin with a blank. Whether the kernel itself wrote it.
fn record(bytes: &[u8]) -> Option<(Line, bool)> {
    let at = bytes.iter().position(|&byte| byte == b';')?;
    let head = std::str::from_utf8(&bytes[..at]).ok()?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let at_us = fields.next()?.parse().ok()?;
    let text = bytes[at + 1..].split(|&byte| byte == b'\n').next()?;
    Some((Line { sequence, at: Duration::from_micros(at_us), text: unescaped(text) }, priority >> 3 == 0))
}

/// `\x1b` → what it stands for.
fn unescaped(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, more)) = rest.split_first() {
        let escape = rest.strip_prefix(b"\\x").and_then(|digits| {
            let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        match escape {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(byte);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let (line, kernel) =
            record(b"6,339,5140900,-;NET: \\x1b[2J \\x5cx41 caf\\xc3\\xa9\n SUBSYSTEM=acpi\n").unwrap();
        assert_eq!(line.sequence, 339);
        assert_eq!(line.at, Duration::from_micros(5_140_900));
        assert_eq!(line.text, "NET: \x1b[2J \\x41 café");
        assert!(kernel);
        let (line, kernel) = record(b"12,7,1,-,caller=T1;hog invoked oom-killer").unwrap();
        assert_eq!(line.text, "hog invoked oom-killer");
        assert!(!kernel, "written by a process");
        assert!(record(b"").is_none() && record(b"x,1,2;y").is_none() && record(b"6,1").is_none());
    }
}
