//! A disk that takes nothing for a while.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;
use crate::{
    cli::plan::Pins,
    record::{pack::decode, store::Kept},
};

#[derive(Clone, Default)]
struct Disk {
    has_room: Arc<AtomicBool>,
    /// Encoded: entries stay on their thread.
    written: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Store for Disk {
    fn write(&mut self, kept: &Kept) -> io::Result<()> {
        if !self.has_room.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.lock().unwrap().push(kept.payload.bytes.to_vec());
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn mark(number: usize, bytes: usize) -> Entry {
    let at = Timestamp::from_second(1_772_366_400 + number as i64).unwrap();
    Entry::Mark(Mark { at, text: "x".repeat(bytes) })
}

/// So many notes of that size, the first of which come while the disk is full: what was written, and how much was lost.
fn written(count: usize, bytes: usize) -> (Vec<Entry>, u64) {
    let disk = Disk::default();
    let recorder = Recorder::new(Box::new(disk.clone()), Pins::NONE).unwrap();
    let keep = |number| {
        let mark = mark(number, bytes);
        recorder.keep(&mark, Payload::of(&mark).unwrap().unwrap());
    };
    for number in 0..count - 1 {
        keep(number);
    }
    disk.has_room.store(true, Ordering::Relaxed);
    keep(count - 1);
    let lost = recorder.lost().count;
    drop(recorder);
    let written = disk.written.lock().unwrap();
    (written.iter().map(|bytes| decode(bytes).unwrap()).collect(), lost)
}

#[test]
fn what_waits_is_written_later() {
    let all: Vec<Entry> = (0..600).map(|number| mark(number, 20_000)).collect();
    assert!(written(600, 20_000) == (all, 0), "ten minutes of intervals that take 20 kB each");
}

#[test]
fn what_is_too_much_is_dropped_and_told() {
    let (entries, lost) = written(40, 1 << 20);
    let [Entry::Dropped(gap), rest @ ..] = &entries[..] else { panic!("no gap") };
    assert!(lost >= 7 && gap.entries == lost, "{lost} lost, {} told", gap.entries);
    let right: Vec<Entry> = (lost as usize..40).map(|number| mark(number, 1 << 20)).collect();
    assert!(rest == right);
    assert_eq!(Some(gap.at), right[0].at());
}
