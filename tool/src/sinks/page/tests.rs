//! Whatever a host's names are, no line is wider than the screen.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::{
    sinks::{Sink, heat::Heat, hist::Hist, overview::Overview, sample, stream::Stream},
    snapshot::{Snapshot, tcp::Events},
    table::any::Dice,
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

/// Of all that a snapshot can hold.
fn snapshots(dice: &mut Dice) -> Vec<Snapshot> {
    (0..8).map(|_| dice.any()).collect()
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
        let mut dice = Dice::wide(seed);
        let (snapshots, events) = (snapshots(&mut dice), dice.any());
        for width in [60, 80, 100, 120, 200] {
            let mut view = View { width, limit: width, colour, stacks: true, log: true, ..sample::view() };
            (view.only, view.top) = ("pid 1 2 3 and 999 more, ".repeat(9), 4);
            for line in screens(&snapshots, &events, &view).lines().map(unpaint) {
                prop_assert!(line.width() <= width, "{} of {width} columns: {line:?}", line.width());
            }
        }
    }
}
