//! What is said again of what was recorded.

use std::{fs, path::Path};

use jiff::Timestamp;

use super::Shown;
use crate::{
    cli::{self, Surroundings},
    findings::track::Tracker,
    record::{
        self, Entry, Payload, Segment,
        tests::{Folder, head},
    },
    snapshot::{Snapshot, tcp::Events},
};

/// Intervals of a fault of each kind (`tests/recorded/README.md`), with what was said of them when it happened.
fn faults() -> Vec<(String, Vec<Snapshot>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recorded");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let faults = files.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).map(|path| {
        let mut tracker = Tracker::new(head().missing);
        let said = |line: &str| {
            let snapshot: Snapshot = serde_json::from_str(line).unwrap();
            Snapshot { findings: Some(tracker.look(&snapshot)), ..snapshot }
        };
        (path.display().to_string(), fs::read_to_string(&path).unwrap().lines().map(said).collect())
    });
    faults.collect()
}

#[test]
fn the_same_is_found_again() {
    let folder = Folder::new("again");
    let path = folder.0.join("it.swr");
    let faults = faults();
    assert!(faults.len() > 10);
    for (fault, told) in faults {
        let mut segment = Segment::new(fs::File::create(&path).unwrap(), head());
        for snapshot in &told {
            segment.write(&Payload::of(&Entry::Snapshot(snapshot.clone().into())).unwrap().unwrap()).unwrap();
        }
        let recording = record::open(&path).unwrap();
        let plan = cli::replayed(&[], &[], Surroundings::default()).unwrap();
        let mut shown = Shown {
            tracker: Some(Tracker::new(recording.head().missing.clone())),
            plan: &plan,
            events: Events::default(),
        };
        let again = recording.entries(..).filter_map(|entry| match shown.of(entry, Timestamp::MIN)? {
            Entry::Snapshot(snapshot) => Some(*snapshot),
            _ => None,
        });
        let again: Vec<_> = again.collect();
        assert!(told.iter().any(|told| told.findings.as_ref().is_some_and(|found| !found.open.is_empty())), "{fault}");
        assert!(again == told, "{fault}");
    }
}
