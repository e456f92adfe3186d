//! The machine with incidents that were recorded (`tests/recorded`): what it says, and that it bears any key.

mod frames;
mod keys;
mod moves;
mod pages;
mod times;
mod words;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use jiff::tz::TimeZone;

use super::{
    state::{Action, Input, Machine},
    timeline::Timeline,
};
use crate::{
    cli::{Command, Surroundings, parse_from, plan::Plan},
    findings::track::Tracker,
    record::{Entry, FORMAT, Head, Mark, Payload},
    snapshot::Snapshot,
};

pub fn plan(line: &str) -> Plan {
    let words = std::iter::once("stillwatch").chain(line.split_ascii_whitespace());
    let Ok(Command::Run(plan)) = parse_from(words, Surroundings::default(), |_| Err(String::new())) else {
        panic!("no plan")
    };
    *plan
}

pub fn head() -> Head {
    let text = r#"{"format":1,"began":"2026-03-01T14:00:00Z","interval":{"secs":1,"nanos":0}}"#;
    Head { format: FORMAT, ..serde_json::from_str(text).unwrap() }
}

/// What was recorded until it was over, with what this version finds in it.
pub fn recorded(text: &str) -> Vec<Snapshot> {
    let mut tracker = Tracker::new(Vec::new());
    let snapshot = |line| {
        let mut snapshot: Snapshot = serde_json::from_str(line).unwrap();
        snapshot.findings = Some(tracker.look(&snapshot));
        snapshot
    };
    let mut snapshots: Vec<Snapshot> = text.lines().map(snapshot).collect();
    let wrong = |snapshot: &Snapshot| {
        let mut open = snapshot.findings.iter().flat_map(|found| &found.open);
        open.any(|open| open.now && open.finding.harm > 0.0)
    };
    let last = snapshots.iter().rposition(wrong).unwrap();
    snapshots.truncate(last + 1);
    snapshots
}

macro_rules! incident {
    ($name:literal) => {
        $crate::screen::tests::recorded(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/recorded/",
            $name,
            ".jsonl"
        )))
    };
}
pub(crate) use incident;

pub fn payload(entry: &Entry) -> Payload {
    Payload::of(entry).unwrap().unwrap()
}

pub fn machine(line: &str, size: (u16, u16)) -> Machine {
    let mut machine = Machine::new(&plan(line), Timeline::new(head(), 64 << 20), false, size);
    machine.view.zone = TimeZone::UTC;
    machine
}

/// With all of an incident, seen live.
pub fn with(snapshots: &[Snapshot], size: (u16, u16)) -> Machine {
    let mut machine = machine("", size);
    for snapshot in snapshots {
        see(&mut machine, snapshot);
    }
    machine
}

pub fn see(machine: &mut Machine, snapshot: &Snapshot) {
    machine.on(Input::Kept(payload(&Entry::Snapshot(Box::new(snapshot.clone())))));
}

pub fn mark(machine: &mut Machine, at: jiff::Timestamp) {
    machine.on(Input::Kept(payload(&Entry::Mark(Mark { at, text: "deploy".into() }))));
}

pub fn press(machine: &mut Machine, code: KeyCode) -> Action {
    machine.on(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub fn mouse(machine: &mut Machine, kind: MouseEventKind, column: u16, row: u16) {
    machine.on(Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
}

pub fn click(machine: &mut Machine, column: u16, row: u16) {
    mouse(machine, MouseEventKind::Down(MouseButton::Left), column, row);
}

pub fn write(machine: &mut Machine, text: &str) {
    text.chars().for_each(|char| _ = press(machine, KeyCode::Char(char)));
}

/// All that is on the page.
pub fn page(machine: &Machine) -> String {
    machine.lines.iter().map(|line| line.text() + "\n").collect()
}
