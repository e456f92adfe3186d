//! Whatever a host's names are, no line is wider than the screen.

use std::{borrow::Cow, time::Duration};

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::{
    sinks::{Sink, golden, heat::Heat, hist::Hist, overview, overview::Overview, sample, stream::Stream},
    snapshot::{Snapshot, finding::Findings, oom::Kill, syscalls::Syscalls, tcp::Events},
    table::{
        Cell, Column, Columns, Known, Why,
        any::{Any, Dice},
    },
};

#[test]
fn what_is_too_wide_goes_on_under_its_text() {
    let line = "  victim    nginx 430 in /a/b, uid 0";
    assert_eq!(fit(line, 26), "  victim    nginx 430 in\n            /a/b, uid 0\n");
    assert_eq!(fit("waits for memory: some", 20), "waits for memory:\n  some\n");
    assert_eq!(fit(&format!("{line}\n\nx"), 99), format!("{line}\n\nx\n"));
}

#[test]
fn what_belongs_together_stays_together() {
    assert_eq!(fit("12:00:00  1.0s  one two   three four", 30), "12:00:00  1.0s  one two\n          three four\n");
}

#[test]
fn paint_ends_with_its_line() {
    assert_eq!(fit("\x1b[2mone two three\x1b[0m", 9), "\x1b[2mone two\x1b[0m\n\x1b[2m  three\x1b[0m\n");
    assert_eq!(fit("\x1b[2mone two\x1b[0m", 7), "\x1b[2mone two\x1b[0m\n");
}

#[test]
fn without_a_terminal_there_is_no_limit() {
    let line = "a word ".repeat(99);
    assert_eq!(fit(&line, usize::MAX), format!("{line}\n"));
}

proptest! {
    #[test]
    fn nothing_is_too_wide_and_nothing_is_lost(
        words in prop::collection::vec("[ ]{1,3}[a-z数éあ:/]{1,90}", 0..30), limit in 40_usize..200
    ) {
        let line: String = words.concat();
        let text = fit(&line, limit);
        prop_assert!(text.lines().all(|line| display_width(line) <= limit), "{}", text);
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(letters(&text), letters(&line));
    }
}

/// As wide as they may be: a name of 15 wide characters, a path of 300, reasons with and without blanks.
fn lengthen(cell: &mut Cell<'_>, column: &Column) {
    match cell {
        Cell::Text(text) => {
            *text = match column.name {
                "comm" => "数据库服务器进程名字很长很长啊".into(),
                "cgroup" => format!("/系统.slice/{}", "kubepods-burstable-pod数据/".repeat(12)).into(),
                _ => format!("a reason of 数据 words that goes on and on, {}", "unbroken-词".repeat(12)).into(),
            }
        }
        Cell::Unknown(why) => *why = Cow::Owned(Why::Unknown("a reason that goes on and on".repeat(5).into())),
        // Products of two are numbers, too.
        Cell::Count(count) => *count &= (1 << 30) - 1,
        Cell::Named(counts) => counts.iter_mut().for_each(|(_, count)| *count &= (1 << 30) - 1),
        Cell::List(cells) => cells.iter_mut().for_each(|cell| lengthen(cell, column)),
        Cell::Row(columns, cells) => columns.iter().zip(cells).for_each(|(column, cell)| lengthen(cell, column)),
        _ => {}
    }
}

/// Text that may only be one of some words stays.
fn lengthened<R: Columns>(mut row: R) -> R {
    for (at, column) in R::COLUMNS.iter().enumerate() {
        let mut cells = row.cells();
        lengthen(&mut cells[at], column);
        row = R::from_cells(&cells).unwrap_or(row);
    }
    row
}

fn any<R: Columns + Any, Rows: FromIterator<R>>(dice: &mut Dice) -> Rows {
    (0..5).map(|_| lengthened(R::any(dice))).collect()
}

fn long(text: &mut String) {
    text.push_str(&" words of 数据 that go on".repeat(8));
    text.push_str(&"unbroken-词".repeat(15));
}

fn snapshots(seed: u64) -> Vec<Snapshot> {
    let dice = &mut Dice(seed);
    let mut all: Vec<Snapshot> =
        [golden::calls(), golden::ios(), golden::tcps(), golden::ooms(), golden::cpu_times()].concat();
    for snapshot in &mut all {
        snapshot.pressure = Err("PSI is off, ".repeat(20));
        if let Some(Syscalls { rows, slow, in_flight, by, .. }) = &mut snapshot.syscalls {
            (*rows, *slow, *in_flight, *by) = (any(dice), any(dice), any(dice), Some(any(dice)));
        }
        if let Some(io) = &mut snapshot.io {
            (io.devices, io.slow, io.blame) = (any(dice), any(dice), Some(any(dice)));
            (io.stalled, io.caused_by) = (Known::Value(any(dice)), Known::Value(any(dice)));
        }
        if let Some(tcp) = &mut snapshot.tcp {
            tcp.events = events(dice);
            (tcp.flows, tcp.remotes, tcp.drops) = (any(dice), any(dice), Some(any(dice)));
            tcp.listeners = Known::Value(any(dice));
            tcp.closed_windows = Known::Value(any(dice));
        }
        if let Some(oom) = &mut snapshot.oom {
            (oom.reclaim, oom.inside, oom.limits, oom.signals) = (any(dice), any(dice), any(dice), any(dice));
            oom.kills.iter_mut().chain(&mut oom.freed).for_each(lengthen_kill);
        }
        if let Some(cpu) = &mut snapshot.cpu {
            (cpu.waited, cpu.by, cpu.interrupts) = (any(dice), Some(any(dice)), Some(any(dice)));
            (cpu.waiting, cpu.running) = (Known::Value(any(dice)), Known::Value(any(dice)));
            cpu.throttled = Known::Value(any(dice));
        }
        snapshot.findings = Some(findings());
    }
    all
}

fn events(dice: &mut Dice) -> Events {
    Events { retransmits: any(dice), connects: any(dice), resets: any(dice), drops: any(dice) }
}

fn lengthen_kill(kill: &mut Kill) {
    kill.victim.who = lengthened(kill.victim.who.clone());
    kill.trigger = lengthened(kill.trigger.clone());
    kill.victim.cmdline.iter_mut().chain(&mut kill.group).chain(&mut kill.report_unknown).for_each(long);
    kill.exited = Some(Duration::from_millis(9));
}

fn findings() -> Findings {
    let mut found = overview::tests::findings();
    for open in found.open.iter_mut().chain(&mut found.over) {
        let finding = &mut open.finding;
        [&mut finding.statement, &mut finding.next].into_iter().for_each(long);
        finding.doubts.iter_mut().chain(&mut finding.unknown).for_each(long);
        finding.evidence.iter_mut().for_each(|evidence| long(&mut evidence.what));
    }
    found
}

/// All that the sinks of text say of these.
fn screens(snapshots: &[Snapshot], events: &Events, view: &View) -> String {
    fn drawn(sink: &mut dyn Sink, snapshots: &[Snapshot], events: &Events) {
        sink.events(events).unwrap();
        for snapshot in snapshots {
            sink.kills(snapshot.oom.as_ref().map_or(&[], |oom| &oom.kills)).unwrap();
            sink.snapshot(snapshot).unwrap();
        }
        sink.finish().unwrap();
    }
    let mut out = Vec::new();
    drawn(&mut Stream::new(&mut out, view.clone()), snapshots, events);
    drawn(&mut Overview::new(&mut out, view.clone()), snapshots, events);
    drawn(&mut Heat::new(&mut out, view.clone()), snapshots, events);
    drawn(&mut Hist::new(&mut out, view.clone(), crate::cli::TOTAL), snapshots, events);
    String::from_utf8(out).unwrap()
}

/// As a terminal shows it.
fn unpaint(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

proptest! {
    // Each is every table at every width.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_a_host_has_no_line_is_too_wide(seed in proptest::num::u64::ANY, colour in proptest::bool::ANY) {
        let (snapshots, events) = (snapshots(seed), events(&mut Dice(!seed)));
        for width in [60, 80, 100, 120, 200] {
            let mut view = View { width, limit: width, colour, stacks: true, log: true, ..sample::view() };
            (view.only, view.top) = ("pid 1 2 3 and 999 more, ".repeat(9), 4);
            for line in screens(&snapshots, &events, &view).lines().map(unpaint) {
                prop_assert!(line.width() <= width, "{} of {width} columns: {line:?}", line.width());
            }
        }
    }
}
