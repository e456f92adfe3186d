//! Whole frames, as a terminal would show them.

use std::fmt::Write;

use crossterm::event::KeyCode;
use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::*;
use crate::{
    screen::view::{self, style::Look},
    table::any::Dice,
};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];
const PLAIN: Look = Look { colour: false, ascii: false };

fn buffer(machine: &Machine, look: Look) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(machine.size.0, machine.size.1)).unwrap();
    terminal.draw(|frame| view::draw(machine, &look, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

/// Lines without the blanks behind them.
pub fn frame(machine: &Machine, look: Look) -> String {
    let buffer = buffer(machine, look);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let (mut line, mut wide) = (String::new(), 0);
        for x in 0..buffer.area.width {
            // What is behind a wide character is no cell of its own.
            if wide > 0 {
                wide -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            wide = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line += symbol;
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// A letter for each cell that does not look as all others do.
fn looks(machine: &Machine, look: Look) -> String {
    let buffer = buffer(machine, look);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let cell = |x| {
            let cell = &buffer[(x, y)];
            let has = |modifier| cell.modifier.contains(modifier);
            match (cell.fg, has(Modifier::REVERSED), has(Modifier::BOLD), has(Modifier::DIM)) {
                (_, true, ..) => 'S',
                (Color::Red, ..) => '!',
                (Color::Reset, _, true, _) => 'b',
                (Color::Reset, _, _, true) => 'd',
                (Color::Reset, ..) => ' ',
                (other, ..) => panic!("a colour too many: {other}"),
            }
        };
        let line: String = (0..buffer.area.width).map(cell).collect();
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// The same at all sizes.
fn at_all_sizes(snapshots: &[Snapshot], keys: &[KeyCode]) -> String {
    let mut text = String::new();
    for size in SIZES {
        let mut machine = with(snapshots, size);
        keys.iter().for_each(|key| _ = press(&mut machine, *key));
        writeln!(text, "== {} x {}\n{}", size.0, size.1, frame(&machine, PLAIN)).unwrap();
    }
    text
}

#[test]
fn overviews() {
    insta::assert_snapshot!("overview_device_saturated", at_all_sizes(&incident!("device_saturated"), &[]));
    insta::assert_snapshot!("overview_memory_stall", at_all_sizes(&incident!("memory_stall"), &[]));
    insta::assert_snapshot!("overview_retransmits", at_all_sizes(&incident!("retransmits"), &[]));
}

#[test]
fn probes() {
    let tab = |number| [KeyCode::Char(number)];
    insta::assert_snapshot!("probe_syscalls", at_all_sizes(&incident!("slow_calls"), &tab('2')));
    insta::assert_snapshot!("probe_io", at_all_sizes(&incident!("device_saturated"), &tab('3')));
    insta::assert_snapshot!("probe_tcp", at_all_sizes(&incident!("retransmits"), &tab('4')));
    insta::assert_snapshot!("probe_oom", at_all_sizes(&incident!("memory_stall"), &tab('5')));
    insta::assert_snapshot!("probe_cpu", at_all_sizes(&incident!("cpu_saturated"), &tab('6')));
}

/// The database that a disk holds up is three keys away.
#[test]
fn details() {
    let io = incident!("device_saturated");
    insta::assert_snapshot!("finding", at_all_sizes(&io, &[KeyCode::Enter]));
    insta::assert_snapshot!("process", at_all_sizes(&io, &[KeyCode::Enter, KeyCode::Down, KeyCode::Enter]));
    insta::assert_snapshot!("row", at_all_sizes(&io, &[KeyCode::Char('3'), KeyCode::Enter]));
    insta::assert_snapshot!("blame", at_all_sizes(&io, &[KeyCode::Char('b'), KeyCode::Down]));
    let heat = [KeyCode::Char('3'), KeyCode::Char('h'), KeyCode::Char('h'), KeyCode::Down, KeyCode::Left];
    insta::assert_snapshot!("heat", at_all_sizes(&io, &heat));
    let by_cgroup = [KeyCode::Char('6'), KeyCode::Down, KeyCode::Char('g'), KeyCode::Char('g')];
    insta::assert_snapshot!("groups", at_all_sizes(&incident!("cpu_saturated"), &by_cgroup));
    insta::assert_snapshot!("help", at_all_sizes(&io, &[KeyCode::Char('?')]));
    insta::assert_snapshot!("columns", at_all_sizes(&io, &[KeyCode::Char('3'), KeyCode::Char('c'), KeyCode::Enter]));
}

#[test]
fn before_anything_is_known() {
    insta::assert_snapshot!("nothing", frame(&machine("", (80, 24)), PLAIN));
}

#[test]
fn harm_and_selection_are_the_only_accents() {
    let machine = with(&incident!("device_saturated"), (80, 24));
    let colour = looks(&machine, Look { colour: true, ascii: false });
    assert!(colour.contains('S'), "nothing is selected");
    let mut unselected = with(&incident!("device_saturated"), (80, 24));
    press(&mut unselected, KeyCode::End);
    for _ in 0..20 {
        press(&mut unselected, KeyCode::Down);
    }
    assert!(looks(&unselected, Look { colour: true, ascii: false }).contains('!'), "harm has no colour");
    assert!(!looks(&unselected, PLAIN).contains('!'), "a colour without colours");
    insta::assert_snapshot!("looks", colour);
}

#[test]
fn ascii_is_enough() {
    for keys in ["", "2", "3", "3h", "4", "5", "6", "b", "?"] {
        let mut machine = with(&incident!("device_saturated"), (120, 40));
        write(&mut machine, keys);
        let text = frame(&machine, Look { colour: false, ascii: true });
        assert!(text.is_ascii(), "{text}");
    }
}

/// Names that are wide, long and hostile leave every line within the screen, and send nothing to the terminal.
#[test]
fn any_text_stays_within_its_line() {
    for seed in 0..16 {
        let mut snapshot: Snapshot = Dice::wide(seed).any();
        snapshot.at = "2026-03-01T14:02:11Z".parse().unwrap();
        for size in SIZES {
            let mut machine = with(std::slice::from_ref(&snapshot), size);
            for keys in ["", "2", "3", "3g", "4", "5", "6", "6g", "b", "h"] {
                write(&mut machine, keys);
                press(&mut machine, KeyCode::Enter);
                for line in &machine.lines {
                    assert!(!line.text().chars().any(char::is_control), "{:?}", line.text());
                }
                frame(&machine, PLAIN);
            }
        }
    }
}
