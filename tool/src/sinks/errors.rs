//! The standard error: what goes wrong, in words.
//!
//! Nobody waits for a terminal that was stopped: what there is no room for is left out, and how many messages that were, is said with the next.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::poll::{PollFd, PollFlags, poll};

use super::{page::fit, view::columns};

pub struct Errors;

/// Messages that were left out since the last that was not.
static UNSAID: AtomicU64 = AtomicU64::new(0);
/// In milliseconds: whoever reads, makes room sooner.
const PATIENCE: u8 = 100;
/// Bytes of what waits until the terminal is free, while a screen has it.
const MOST: usize = 64 << 10;
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

impl Errors {
    /// What comes now would only destroy what the terminal shows.
    pub fn hold() {
        if io::stderr().is_terminal() {
            held().get_or_insert_default();
        }
    }

    pub fn release() {
        let text = held().take();
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            // Without a standard error there is nobody to tell.
            _ = Self.write_all(&text);
        }
    }
}

fn held() -> MutexGuard<'static, Option<Vec<u8>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Write for Errors {
    /// Whole lines.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Some(waiting) = &mut *held() {
            if waiting.len() + text.len() <= MOST {
                waiting.extend_from_slice(text);
            } else {
                UNSAID.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(text.len());
        }
        let err = io::stderr();
        let unsaid = UNSAID.load(Ordering::Relaxed);
        if !has_room(&err, if unsaid == 0 { PATIENCE } else { 0 }) {
            UNSAID.fetch_add(1, Ordering::Relaxed);
            return Ok(text.len());
        }
        let limit = columns(&err).unwrap_or(usize::MAX);
        let mut lines = String::from_utf8_lossy(text).into_owned();
        if unsaid > 0 {
            UNSAID.fetch_sub(unsaid, Ordering::Relaxed);
            lines += &format!("stillwatch: messages left out, for which the standard error had no room: {unsaid}\n");
        }
        err.lock().write_all(fit(&lines, limit).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Within so many milliseconds; true as well where writing fails at once.
fn has_room(to: &impl AsFd, milliseconds: u8) -> bool {
    poll(&mut [PollFd::new(to.as_fd(), PollFlags::POLLOUT)], milliseconds).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_full_pipe() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        while has_room(&writer, 0) {
            writer.write_all(&[0; 4096]).unwrap();
        }
        io::Read::read_exact(&mut reader, &mut [0; 4096]).unwrap();
        assert!(has_room(&writer, 0));
        writer.write_all(&[0; 4096]).unwrap();
        assert!(!has_room(&writer, 1));
        drop(reader);
        assert!(has_room(&writer, 0), "that nobody reads is told at once");
    }
}
