//! A writer that is killed at any moment.

use std::{
    io::{Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use super::*;
use crate::{
    cli::plan::Limits,
    record::store::{Folder as Store, Kept, Store as _},
};

pub const LIMITS: Limits = Limits {
    keep: Duration::from_secs(3600),
    bytes: 1 << 30,
    before: Duration::from_secs(300),
    after: Duration::from_secs(120),
    incident_bytes: 1 << 30,
    sync: Duration::from_secs(30),
};

pub fn kept(entry: &Entry) -> Kept {
    Kept { payload: Payload::of(entry).unwrap().unwrap(), wrong: None, urgent: false }
}

/// Ten seconds apart: some begin a segment, and some a minute.
fn entry(number: u64, snapshot: &Snapshot) -> Entry {
    let at = snapshot.at + jiff::SignedDuration::from_secs(10 * number as i64);
    if number.is_multiple_of(3) {
        return Entry::Mark(Mark { at, text: number.to_string() });
    }
    Entry::Snapshot(Box::new(Snapshot { at, ..snapshot.clone() }))
}

/// Says after each entry that it is written.
fn write_until_killed(folder: &Folder, snapshot: &Snapshot, said: OwnedFd) -> std::io::Result<()> {
    let mut said = fs::File::from(said);
    let mut store = Store::open(&folder.0, LIMITS, head()).map_err(std::io::Error::other)?;
    for number in 0.. {
        store.write(&kept(&entry(number, snapshot)))?;
        said.write_all(b".")?;
    }
    Ok(())
}

#[test]
fn what_was_written_before_a_kill_is_there() {
    let snapshot: Snapshot = serde_json::from_str(QUOTA.lines().next().unwrap()).unwrap();
    // Here, so that those who are killed have more to write than that.
    Words::of_this_version().unwrap();
    let mut throw = dice(9);
    let mut torn = 0;
    for round in 0..200 {
        let folder = Folder::new("killed");
        let mut pipe = [0; 2];
        // SAFETY: the kernel fills in two descriptors, which are ours.
        let (mut heard, said) = unsafe {
            assert_eq!(libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC), 0);
            (fs::File::from(OwnedFd::from_raw_fd(pipe[0])), OwnedFd::from_raw_fd(pipe[1]))
        };
        // SAFETY: the child only allocates, which the C library prepares for, writes to files of its own, and ends without unwinding.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // Other tests' files: their locks would stay as long as this lives.
            // SAFETY: nothing that is ours is among them, but what is said into.
            unsafe {
                libc::close_range(3, said.as_raw_fd() as u32 - 1, 0);
                libc::close_range(said.as_raw_fd() as u32 + 1, u32::MAX, 0);
            }
            let _ = write_until_killed(&folder, &snapshot, said);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(1) };
        }
        assert!(child > 0 && said.as_raw_fd() >= 0);
        drop(said);
        let mut first = [0];
        heard.read_exact(&mut first).unwrap();
        std::thread::sleep(Duration::from_micros(throw(10_000) as u64));
        // SAFETY: it is our child, and has not been waited for.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        let mut more = Vec::new();
        heard.read_to_end(&mut more).unwrap();
        let mut entries = open(&folder.0).unwrap().entries(..);
        let read: Vec<Entry> = entries.by_ref().collect();
        let right: Vec<Entry> = (0..read.len() as u64).map(|number| entry(number, &snapshot)).collect();
        assert!(read == right, "round {round}");
        assert!((more.len() + 1..=more.len() + 2).contains(&read.len()), "round {round}: {}", read.len());
        let skipped = entries.skipped();
        torn += skipped.damaged;
        assert!(skipped.damaged <= 1 && skipped.without_key + skipped.not_understood == 0, "round {round}: {skipped}");
    }
    println!("{torn} torn frames");
}
