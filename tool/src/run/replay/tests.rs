//! What is said again of what was recorded.

use std::{
    cell::RefCell,
    fs,
    io::{self, Write},
    path::Path,
    rc::Rc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{Longer, Shown, found, not_shorter, show};
use crate::{
    cli::{self, Surroundings},
    findings::track::Tracker,
    record::{
        self, Entry, Gap, Mark, Payload, Segment,
        tests::{Folder, head},
    },
    sinks,
    snapshot::{
        Snapshot, Who,
        log::{Log, LogLine, TimeOf},
        tcp::Events,
    },
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
            found: Vec::new(),
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

#[test]
fn lines_of_whom_findings_name_come_first() {
    let folder = Folder::new("lines");
    let path = folder.0.join("it.swr");
    let (_, mut told) = faults().into_iter().find(|(fault, _)| fault.contains("retransmits")).unwrap();
    let named = |snapshot: &Snapshot| Some(snapshot.findings.as_ref()?.open.first()?.finding.victims.first()?.clone());
    let whom = told.iter().find_map(named).unwrap();
    let line = |who: Who, text: &str| LogLine { who, text: text.into(), ..some_line() };
    let mut segment = Segment::new(fs::File::create(&path).unwrap(), head());
    for snapshot in &mut told {
        let lines =
            vec![line(Who::living(7), "of somebody"), line(whom.clone(), "of the one"), line(Who::default(), "")];
        snapshot.log = Some(Log { lines, ..Log::default() });
        segment.write(&Payload::of(&Entry::Snapshot(snapshot.clone().into())).unwrap().unwrap()).unwrap();
    }
    let recording = record::open(&path).unwrap();
    let found = found(&recording, (Timestamp::MIN, Timestamp::MAX));
    assert!(found.contains(&whom) && !found.iter().any(|who| who.pid == Some(7)), "{found:?}");
    let plan = cli::replayed(&[], &["log".into()], Surroundings::default()).unwrap();
    let mut shown = Shown { tracker: None, plan: &plan, found, events: Events::default() };
    let mut any = false;
    for entry in shown.all(recording.entries(..), Timestamp::MIN) {
        let Entry::Snapshot(snapshot) = entry else { continue };
        let texts: Vec<_> = snapshot.log.as_ref().unwrap().lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["of the one", "of somebody", ""]);
        any = true;
    }
    assert!(any);
}

fn some_line() -> LogLine {
    LogLine {
        at: Timestamp::UNIX_EPOCH,
        time_of: TimeOf::Line,
        source: "kernel".into(),
        severity: None,
        unit: None,
        ident: None,
        who: Who::default(),
        new: None,
        bytes: 10,
        encoded: false,
        text: String::new(),
    }
}

/// What is written, for whoever gave it away.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn replayed(fault: &str, words: &str) -> String {
    let words: Vec<_> = words.split_ascii_whitespace().map(Into::into).collect();
    let plan = cli::replayed(&[], &words, Surroundings { utf8: true, ..Surroundings::default() }).unwrap();
    let (_, told) = faults().into_iter().find(|(name, _)| name.contains(fault)).unwrap();
    let out = Shared::default();
    let mut sink = sinks::of(&plan, out.clone());
    let mut shown = Shown {
        tracker: Some(Tracker::new(head().missing)),
        plan: &plan,
        found: Vec::new(),
        events: Events::default(),
    };
    let entries = told.into_iter().map(|snapshot| Entry::Snapshot(snapshot.into()));
    for entry in shown.all(entries, Timestamp::MIN) {
        show(&mut *sink, &plan, entry).unwrap();
    }
    sink.finish().unwrap();
    String::from_utf8(out.0.take()).unwrap()
}

#[test]
fn five_seconds_are_shown_as_one_interval() {
    insta::assert_snapshot!("five_seconds", replayed("sync_stall", "5s"));
    insta::assert_snapshot!("five_seconds_of_io", replayed("sync_stall", "io 5s"));
}

/// Findings that began in any part of a longer interval begin there, each once.
#[test]
fn a_finding_of_each_second_is_told_in_five_as_well() {
    let told = |words| -> Vec<(String, String)> {
        let lines = replayed("device_saturated", words);
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let findings = lines.filter(|line| line["type"] == "finding" && line["state"] == "started");
        findings.map(|line| (line["rule"].to_string(), line["subject"].to_string())).collect()
    };
    let each = told("--json");
    assert!(!each.is_empty());
    assert_eq!(told("5s --json"), each);
}

fn second(at: i64) -> Entry {
    let (_, told) = faults().into_iter().find(|(name, _)| name.contains("quota")).unwrap();
    let (at, interval) = (Timestamp::from_second(at).unwrap(), Duration::from_secs(1));
    Entry::Snapshot(Snapshot { at, interval, ..told[0].clone() }.into())
}

/// Ends of intervals and how long they are; of what stands between them, when it was.
fn longer(entries: Vec<Entry>, interval: Duration) -> Vec<(i64, Option<u64>)> {
    let at = |entry: Entry| match entry {
        Entry::Snapshot(snapshot) => (snapshot.at.as_second(), Some(snapshot.interval.as_secs())),
        other => (other.at().unwrap().as_second(), None),
    };
    Longer::new(entries.into_iter(), interval).map(at).collect()
}

#[test]
fn a_gap_ends_an_interval_and_what_is_between_stays_there() {
    let five = Duration::from_secs(5);
    let whole: Vec<_> = (1..=12).map(second).collect();
    assert_eq!(longer(whole.clone(), five), [(5, Some(5)), (10, Some(5)), (12, Some(2))]);
    assert_eq!(longer(whole, Duration::ZERO).len(), 12);
    let missing: Vec<_> = (1..=3).chain(8..=13).map(second).collect();
    assert_eq!(longer(missing, five), [(3, Some(3)), (12, Some(5)), (13, Some(1))]);
    let mark = Entry::Mark(Mark { at: Timestamp::from_second(2).unwrap(), text: "deploy".into() });
    let gap = Entry::Dropped(Gap { at: Timestamp::from_second(3).unwrap(), entries: 0, why: "full".into() });
    let between = vec![second(1), second(2), mark, second(3), gap, second(4), second(5)];
    assert_eq!(longer(between, five), [(2, None), (3, Some(3)), (3, None), (5, Some(2))]);
    // Intervals are never as long as they were to be.
    let late = |entry| match entry {
        Entry::Snapshot(mut snapshot) => {
            snapshot.at += SignedDuration::from_millis(snapshot.at.as_second());
            snapshot.interval += Duration::from_millis(1);
            Entry::Snapshot(snapshot)
        }
        other => other,
    };
    assert_eq!(longer((1..=10).map(second).map(late).collect(), five), [(5, Some(5)), (10, Some(5))]);
}

#[test]
fn no_interval_is_cut() {
    let second = Duration::from_secs(1);
    assert!(not_shorter(Duration::ZERO, second).is_ok() && not_shorter(second, second).is_ok());
    let refused = not_shorter(Duration::from_millis(500), second).unwrap_err().to_string();
    assert!(refused.contains("it was recorded every 1s, which is not shown every 500ms"), "{refused}");
}
