//! Going back, and what is kept to go back to.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::record;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_373_600 + second).unwrap()
}

/// A quiet interval.
fn interval(second: i64) -> Snapshot {
    Snapshot::new(at(second), std::time::Duration::from_secs(1), Err("none".into()))
}

fn quiet(seconds: std::ops::Range<i64>) -> Machine {
    let mut machine = machine("", (80, 24));
    seconds.for_each(|second| see(&mut machine, &interval(second)));
    machine
}

fn shown(machine: &Machine) -> i64 {
    machine.shown.as_ref().unwrap().1.at.as_second() - at(0).as_second()
}

#[test]
fn frozen_is_frozen_and_measuring_goes_on() {
    let mut machine = quiet(0..5);
    write(&mut machine, " ");
    (5..9).for_each(|second| see(&mut machine, &interval(second)));
    assert_eq!(shown(&machine), 4);
    press(&mut machine, KeyCode::Left);
    assert_eq!(shown(&machine), 3);
    press(&mut machine, KeyCode::Right);
    press(&mut machine, KeyCode::Right);
    assert_eq!(shown(&machine), 5);
    write(&mut machine, " ");
    assert_eq!(shown(&machine), 8, "it goes on with the newest");
}

#[test]
fn minutes_ends_and_jumps() {
    let mut machine = quiet(0..300);
    press(&mut machine, KeyCode::PageUp);
    assert_eq!(shown(&machine), 239);
    press(&mut machine, KeyCode::Home);
    assert_eq!(shown(&machine), 0);
    press(&mut machine, KeyCode::PageDown);
    assert_eq!(shown(&machine), 60);
    let mut jump = |text: &str| {
        write(&mut machine, ":");
        write(&mut machine, text);
        press(&mut machine, KeyCode::Enter);
        (shown(&machine), machine.says.clone())
    };
    assert_eq!(jump("14:02:30"), (150, None));
    assert_eq!(jump("14:02"), (120, None));
    assert_eq!(jump("-90s"), (209, None));
    assert_eq!(jump("-2m"), (179, None));
    assert_eq!(jump("-1h"), (0, Some("that is before what is kept: this is the first".into())));
    assert_eq!(jump("soon"), (0, Some("'soon' is no moment: 14:02:30, or -90s".into())));
    press(&mut machine, KeyCode::End);
    assert_eq!((shown(&machine), machine.at), (299, None));
}

/// What was five minutes ago takes one key.
#[test]
fn five_minutes() {
    let mut machine = quiet(0..700);
    write(&mut machine, "<");
    assert_eq!(shown(&machine), 399);
    write(&mut machine, "<<");
    assert_eq!(shown(&machine), 0, "no more is kept");
    write(&mut machine, ">");
    assert_eq!(shown(&machine), 300);
    write(&mut machine, ">>");
    assert_eq!(shown(&machine), 699);
}

#[test]
fn to_what_happened() {
    let mut machine = quiet(0..100);
    mark(&mut machine, at(99) + SignedDuration::from_millis(500));
    (100..400).for_each(|second| see(&mut machine, &interval(second)));
    write(&mut machine, "[");
    assert_eq!(shown(&machine), 100, "with the interval in which it was");
    write(&mut machine, "[");
    assert_eq!((shown(&machine), machine.says.as_deref()), (100, Some("nothing happened before")));
    press(&mut machine, KeyCode::Home);
    write(&mut machine, "]");
    assert_eq!(shown(&machine), 100);
    assert!(matches!(press(&mut machine, KeyCode::Char('w')), Action::Write { .. }));
}

#[test]
fn memory_is_bounded_and_what_is_left_out_is_said() {
    let snapshots = incident!("cpu_saturated");
    let mut timeline = Timeline::new(head(), 48 << 10);
    for minute in 0..40 {
        for (second, snapshot) in snapshots.iter().enumerate() {
            let at = at(minute * 60 + second as i64);
            timeline.keep(&payload(&Entry::Snapshot(Box::new(Snapshot { at, ..snapshot.clone() })))).unwrap();
        }
    }
    assert!(timeline.bytes() <= 48 << 10 && timeline.left_out() > 0, "{} {}", timeline.bytes(), timeline.left_out());
    let kept = timeline.digests().len() as u64;
    assert_eq!(kept + timeline.left_out(), 40 * snapshots.len() as u64);
    for (number, digest) in timeline.digests() {
        assert_eq!(timeline.snapshot(number).map(|snapshot| snapshot.at), Some(digest.at));
    }
}

#[test]
fn what_is_shown_is_dropped_in_the_end() {
    let mut machine = Machine::new(&plan(""), Timeline::new(head(), 8 << 10), false, (80, 24));
    see(&mut machine, &interval(0));
    write(&mut machine, " ");
    let mut second = 0;
    while machine.timeline.left_out() == 0 {
        second += 1;
        see(&mut machine, &interval(second));
    }
    assert!(machine.says.as_deref().unwrap().contains("not kept any more"), "{:?}", machine.says);
    assert!(shown(&machine) > 0);
}

#[test]
fn what_is_kept_is_a_recording() {
    let snapshots = incident!("retransmits");
    let mut machine = with(&snapshots, (80, 24));
    mark(&mut machine, snapshots[2].at);
    let Action::Write { name, bytes } = press(&mut machine, KeyCode::Char('w')) else { panic!("nothing is written") };
    let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let recording = record::open(&path).unwrap();
    let entries: Vec<Entry> = recording.entries(..).collect();
    std::fs::remove_file(&path).unwrap();
    let read: Vec<&Snapshot> =
        entries.iter().filter_map(|entry| if let Entry::Snapshot(it) = entry { Some(&**it) } else { None }).collect();
    assert_eq!(read, snapshots.iter().collect::<Vec<_>>());
    assert!(matches!(entries.last(), Some(Entry::Mark(_))));
}

#[test]
fn a_recording_begins_at_its_first_interval() {
    let mut machine = Machine::new(&plan(""), Timeline::new(head(), 1 << 20), true, (80, 24));
    (0..9).for_each(|second| see(&mut machine, &interval(second)));
    assert_eq!((shown(&machine), machine.loading), (0, true));
    machine.on(Input::Loaded);
    press(&mut machine, KeyCode::End);
    assert_eq!(shown(&machine), 8);
    write(&mut machine, " ");
    assert_eq!(shown(&machine), 8, "it does not go on");
    // Unless it is still written: at its end one goes on with it, elsewhere one stays.
    see(&mut machine, &interval(9));
    assert_eq!(shown(&machine), 9);
    press(&mut machine, KeyCode::Left);
    see(&mut machine, &interval(10));
    assert_eq!(shown(&machine), 8);
}
