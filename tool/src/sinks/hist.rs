//! The whole distribution of one call, a line per range of latencies.

use std::io::{self, Write};

use stillwatch_common::hist::{ROW, from, upto};

use jiff::Timestamp;

use super::{
    Note, Sink, View, bar,
    format::{bound, count, duration, rate},
    header, page,
    table::Table,
};
use crate::{
    cli::TOTAL,
    snapshot::{
        Latency, Snapshot,
        syscalls::{Call, Mode},
    },
};

/// Lines that fit a screen.
const LINES: usize = 40;

/// Columns of what stands around the bars.
const AROUND: usize = 51;

/// Draws one call, or all together when the name is [`TOTAL`].
pub struct Hist<W> {
    out: W,
    view: View,
    name: String,
    first: bool,
}

impl<W: Write> Hist<W> {
    pub fn new(out: W, view: View, name: &str) -> Self {
        Self { out, view, name: name.to_owned(), first: true }
    }
}

impl<W: Write> Sink for Hist<W> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let Some(syscalls) = &snapshot.syscalls else {
            let why = header::unavailable(snapshot, "syscalls").unwrap_or_default();
            return page::print(&mut self.out, &why, &self.view);
        };
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            text.push('\n');
        }
        for line in [header::line(snapshot, &self.view), header::mode(snapshot, &self.view)] {
            text += &self.view.dim(&line);
            text.push('\n');
        }
        let row = match self.name.as_str() {
            TOTAL => Some(&syscalls.total),
            name => syscalls.rows.iter().find(|row| row.syscall == name),
        };
        match row {
            Some(row) if row.times() > 0 => draw(&mut text, row, &self.name, syscalls.mode, snapshot, &self.view),
            _ => text += &format!("{}: no call in this interval\n", self.name),
        }
        page::print(&mut self.out, &text, &self.view)
    }

    fn note(&mut self, at: Timestamp, note: Note) -> io::Result<()> {
        page::print(&mut self.out, &note.line(at, &self.view), &self.view)
    }
}

fn draw(text: &mut String, row: &Call, name: &str, mode: Mode, snapshot: &Snapshot, view: &View) {
    let what = if mode == Mode::Exact { "calls" } else { "sleeps" };
    *text += &format!("{name}: {} {what}, {}/s", count(row.times()), rate(row.times(), snapshot.interval));
    if row.untimed > 0 {
        *text += &format!(", {} of them without a latency", count(row.untimed));
    }
    let Some(latency) = row.latency.value().filter(|latency| latency.count > 0) else {
        *text += "\n";
        return;
    };
    *text += &format!(", max {}\n", duration(latency.max_ns));

    lines(text, latency, view);
}

/// A line per range of latencies.
pub fn lines(text: &mut String, latency: &Latency, view: &View) {
    let width = view.width.saturating_sub(AROUND).clamp(16, 56);
    let groups = groups(latency);
    let most = groups.iter().map(|group| group.count).max().unwrap_or(0);
    let mut table = Table::new().right("FROM", 6).right("BELOW", 6).right("COUNT", 5).left("", width).right("SUM", 6);
    table = table.left("", 0);
    let mut sum = 0;
    for group in groups {
        sum += group.count;
        let below = if group.upto == u64::MAX { "∞".into() } else { bound(group.upto + 1) };
        table.row([
            bound(group.from),
            below,
            count(group.count),
            bar::bar(group.count, most, width),
            at_most(sum, latency.count),
            quantiles(latency, &group),
        ]);
    }
    table.draw(text, view);
}

/// Neighbouring buckets in one line.
struct Bar {
    from: u64,
    upto: u64,
    count: u64,
}

/// From the shortest to the longest latency, the empty ones between included, as fine as [`LINES`] allows. Groups
/// stay inside their octave.
fn groups(latency: &Latency) -> Vec<Bar> {
    let buckets = latency.buckets();
    let (Some(&(low, _)), Some(&(high, _))) = (buckets.first(), buckets.last()) else { return Vec::new() };
    let mut size = 1;
    while size < ROW as u32 && (high / size - low / size) as usize >= LINES {
        size *= 2;
    }
    let group = |at: u32| {
        let inside = buckets.iter().filter(|(bucket, _)| bucket / size == at);
        Bar { from: from(at * size), upto: upto((at + 1) * size - 1), count: inside.map(|(_, count)| count).sum() }
    };
    (low / size..=high / size).map(group).collect()
}

/// Share so far, rounded down: 100 % is all.
fn at_most(sum: u64, of: u64) -> String {
    let hundredths = u128::from(sum) * 10_000 / u128::from(of.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Which quantiles lie in a group.
fn quantiles(latency: &Latency, group: &Bar) -> String {
    let all = [("p50", latency.p50_ns), ("p90", latency.p90_ns), ("p99", latency.p99_ns), ("p99.9", latency.p999_ns)];
    let here = all.iter().filter(|(_, ns)| (group.from..=group.upto).contains(ns));
    here.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::sample;

    #[test]
    fn a_histogram_in_full() {
        let mut out = Vec::new();
        Hist::new(&mut out, View { width: 80, ..sample::view() }, "fsync").snapshot(&sample::busy()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        14:02:11  1.0s  pressure cpu 12% io 61%/44% mem 0%   self 0.21% cpu, 9 MiB, 17 lost (task table full 17)
        syscalls exact
        fsync: 390 calls, 390/s, max 390ms
          FROM   BELOW  COUNT                                     SUM
        2.62ms  3.15ms    160  ████████████████████████▌       41.02%
        3.15ms  3.67ms      0                                  41.02%
        3.67ms  4.19ms      0                                  41.02%
        4.19ms  5.24ms      0                                  41.02%
        5.24ms  6.29ms      0                                  41.02%
        6.29ms  7.34ms      0                                  41.02%
        7.34ms  8.39ms      0                                  41.02%
        8.39ms  10.5ms    190  █████████████████████████████   89.74%  p50
        10.5ms  12.6ms      0                                  89.74%
        12.6ms  14.7ms      0                                  89.74%
        14.7ms  16.8ms      0                                  89.74%
        16.8ms    21ms      0                                  89.74%
          21ms  25.2ms      0                                  89.74%
        25.2ms  29.4ms      0                                  89.74%
        29.4ms  33.6ms      0                                  89.74%
        33.6ms  41.9ms     38  █████▉                          99.48%  p90 p99
        41.9ms  50.3ms      0                                  99.48%
        50.3ms  58.7ms      0                                  99.48%
        58.7ms  67.1ms      0                                  99.48%
        67.1ms  83.9ms      0                                  99.48%
        83.9ms   101ms      0                                  99.48%
         101ms   117ms      0                                  99.48%
         117ms   134ms      0                                  99.48%
         134ms   168ms      0                                  99.48%
         168ms   201ms      0                                  99.48%
         201ms   235ms      0                                  99.48%
         235ms   268ms      0                                  99.48%
         268ms   336ms      0                                  99.48%
         336ms   403ms      2  ▍                              100.00%  p99.9
        ");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let mut out = Vec::new();
        let mut sink = Hist::new(&mut out, sample::view(), "mkdir");
        sink.snapshot(&sample::busy()).unwrap();
        sink.name = TOTAL.into();
        sink.snapshot(&sample::idle()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("mkdir: no call in this interval\n"), "{text}");
        assert!(text.contains("total: no call in this interval\n"), "{text}");
    }

    #[test]
    fn every_count_is_on_at_most_a_screen_of_lines() {
        let everywhere = (0..stillwatch_common::hist::BUCKETS as u32).map(|bucket| (bucket, 1)).collect();
        let all = Latency::new(everywhere, 0, u64::MAX);
        let groups = groups(&all);
        assert!(groups.len() <= LINES);
        assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), all.count);
        assert!(groups.windows(2).all(|pair| pair[0].upto + 1 == pair[1].from));
        assert_eq!((at_most(9_999_999, 10_000_000), at_most(3, 3)), ("99.99%".into(), "100.00%".into()));
    }
}
