//! How much is kept, and of what.

use std::{path::Path, time::Duration};

use super::{
    killed::{LIMITS, kept},
    *,
};
use crate::{
    cli::plan::Limits,
    record::{
        incident,
        store::{Folder as Store, Kept, Store as _, Wrong},
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + second).unwrap()
}

/// Nothing that can be compressed.
fn note(second: i64) -> Entry {
    let mut throw = dice(second as u64);
    Entry::Mark(Mark { at: at(second), text: (0..2000).map(|_| char::from(b'!' + throw(90) as u8)).collect() })
}

fn write(store: &mut Store, seconds: std::ops::Range<i64>, wrong: Option<f64>) {
    for second in seconds {
        let wrong = wrong.map(|harm| Wrong { harm, statement: format!("harm of {harm}") });
        store.write(&Kept { wrong, ..kept(&note(second)) }).unwrap();
    }
}

fn seconds(folder: &Path) -> (i64, i64, usize) {
    let entries: Vec<i64> =
        open(folder).unwrap().entries(..).map(|entry| entry.at().unwrap().as_second() - at(0).as_second()).collect();
    (entries[0], entries[entries.len() - 1], entries.len())
}

fn bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(|file| file.is_file()).map(|file| file.len()).sum()
}

#[test]
fn what_is_old_goes_by_segments() {
    let folder = Folder::new("old");
    let mut store = Store::open(&folder.0, Limits { keep: Duration::from_secs(900), ..LIMITS }, head()).unwrap();
    write(&mut store, 0..3000, None);
    let (first, last, count) = seconds(&folder.0);
    // A segment is of five minutes, and goes when all of it is too old.
    assert_eq!((first, last, count), (1800, 2999, 1200));
}

#[test]
fn room_is_bounded_at_any_time() {
    let folder = Folder::new("room");
    let limits = Limits { bytes: 256 << 10, ..LIMITS };
    let mut store = Store::open(&folder.0, limits, head()).unwrap();
    for second in 0..1000 {
        write(&mut store, second..second + 1, None);
        // And what a segment begins with, the words of all tables among it.
        assert!(bytes(&folder.0) <= (256 << 10) + (12 << 10), "after {second}s");
    }
    let (first, last, count) = seconds(&folder.0);
    assert_eq!((last, count as i64), (999, 1000 - first));
    assert!(bytes(&folder.0) > 200 << 10);
    // Another one goes on where this one ended.
    drop(store);
    let mut store = Store::open(&folder.0, limits, head()).unwrap();
    write(&mut store, 1000..1100, None);
    assert_eq!(seconds(&folder.0).1, 1099);
    assert!(bytes(&folder.0) <= (256 << 10) + (4 << 10));
}

#[test]
fn an_incident_outlives_the_rest() {
    let folder = Folder::new("incident");
    let mut store = Store::open(&folder.0, Limits { keep: Duration::from_secs(600), ..LIMITS }, head()).unwrap();
    write(&mut store, 0..1000, None);
    write(&mut store, 1000..1010, Some(1.0));
    // Less than two minutes: it is the same incident.
    write(&mut store, 1010..1100, None);
    write(&mut store, 1100..1110, Some(3.0));
    write(&mut store, 1110..4000, None);
    let all = incident::all(&folder.0).unwrap();
    let [one] = &all[..] else { panic!("{all:?}") };
    assert_eq!((one.number, one.over, &*one.statement), (1, true, "harm of 3"));
    assert_eq!((one.since, one.until), (at(1000), at(1109)));
    assert_eq!((one.from, one.to), (at(700), at(1229)));
    let mut pinned = open(&folder.0).unwrap().entries(one.from..=one.to);
    let moments: Vec<Timestamp> = pinned.by_ref().map(|entry| entry.at().unwrap()).collect();
    assert_eq!(moments, (700..=1229).map(at).collect::<Vec<_>>());
    // By itself, too, and the rest went.
    let (first, last, _) = seconds(&one.folder(&folder.0));
    assert!((600..=700).contains(&first) && (1229..1500).contains(&last), "{first} to {last}");
    assert!(open(&folder.0).unwrap().entries(at(1500)..at(3000)).next().is_none());
    write(&mut store, 4000..4001, Some(1.0));
    assert_eq!(incident::all(&folder.0).unwrap().len(), 2);
}

#[test]
fn an_incident_that_was_cut_off_reaches_as_far_as_it_was_seen() {
    let folder = Folder::new("cut");
    let mut store = Store::open(&folder.0, LIMITS, head()).unwrap();
    write(&mut store, 0..100, None);
    write(&mut store, 100..130, Some(1.0));
    drop(store);
    let mut store = Store::open(&folder.0, LIMITS, head()).unwrap();
    write(&mut store, 2000..2100, None);
    let incidents = incident::all(&folder.0).unwrap();
    let [cut] = &incidents[..] else { panic!("{incidents:?}") };
    assert_eq!((cut.over, cut.end(&folder.0).unwrap()), (false, at(129)));
}

#[test]
fn the_oldest_incidents_go_first() {
    let folder = Folder::new("incidents");
    let limits = Limits { keep: Duration::from_secs(600), incident_bytes: 2 << 20, ..LIMITS };
    let mut store = Store::open(&folder.0, limits, head()).unwrap();
    for begin in [0, 3000, 6000, 9000] {
        write(&mut store, begin..begin + 1, Some(1.0));
        write(&mut store, begin + 1..begin + 400, None);
    }
    let numbers: Vec<u32> = incident::all(&folder.0).unwrap().iter().map(|incident| incident.number).collect();
    assert_eq!(numbers, [3, 4]);
}

#[test]
fn a_folder_has_one_writer() {
    let folder = Folder::new("lock");
    let store = Store::open(&folder.0, LIMITS, head()).unwrap();
    let refused = Store::open(&folder.0, LIMITS, head()).err().unwrap().to_string();
    assert!(refused.contains("is being recorded to by another stillwatch"), "{refused}");
    drop(store);
    assert!(Store::open(&folder.0, LIMITS, head()).is_ok());
}
