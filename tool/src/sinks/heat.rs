//! Minutes of latency as a picture: a line per interval, latency across, shade by share of the interval's calls.
//!
//! The shades mean the same in every line and every run, in steps of a log scale, so that a few slow calls among
//! very many fast ones are seen.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Note, Sink, View, bar, format, header, page};
use crate::snapshot::{
    Latency, Snapshot,
    syscalls::{Mode, Syscalls},
};

/// Powers of ten in the range of [`bar::columns`].
const DECADES: usize = 8;
/// Columns of each, where there is room.
const PER_DECADE: usize = 7;
/// Lines between two axes, so that one is always on the screen.
const AXIS_EVERY: u64 = 20;
/// Where the time ends and the picture begins.
const MARGIN: usize = 10;
/// Columns of the range's open end and of what stands behind the picture.
const BEHIND: usize = 1 + 12;

/// Share of the interval's calls from which a shade is used, in parts per million.
const SHADES: [(u64, char); 4] = [(0, '░'), (1_000, '▒'), (10_000, '▓'), (100_000, '█')];
/// The same in finer steps for terminals with colour: numbers of the 256-colour palette, dark violet to light yellow.
const COLOURS: [(u64, u8); 8] =
    [(0, 17), (30, 54), (300, 90), (1_000, 126), (10_000, 162), (30_000, 203), (100_000, 215), (300_000, 229)];

/// Writes one line per interval to `W`.
pub struct Heat<W> {
    out: W,
    view: View,
    lines: u64,
}

impl<W: Write> Heat<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, lines: 0 }
    }
}

impl<W: Write> Sink for Heat<W> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let Some(syscalls) = &snapshot.syscalls else {
            let why = header::unavailable(snapshot, "syscalls").unwrap_or_default();
            return page::print(&mut self.out, &why, &self.view);
        };
        let mut text = String::new();
        if self.lines.is_multiple_of(AXIS_EVERY) {
            text += &axis(syscalls, snapshot, &self.view);
        }
        self.lines += 1;
        text += &line(syscalls, snapshot, &self.view);
        page::print(&mut self.out, &text, &self.view)
    }

    fn note(&mut self, at: Timestamp, note: Note) -> io::Result<()> {
        page::print(&mut self.out, &note.line(at, &self.view), &self.view)
    }
}

/// What it costs, what is shown, what the shades mean, and the scale.
fn axis(syscalls: &Syscalls, snapshot: &Snapshot, view: &View) -> String {
    let legend = if view.colour {
        let colour = |&(share, colour): &(u64, u8)| view.paint(&format!("48;5;{colour}"), " ") + &from(share);
        COLOURS.iter().map(colour).collect::<Vec<_>>().join(" ")
    } else {
        shades()
    };
    let mark = if view.roomy() { "" } else { "   * some have no latency, or were lost" };
    let mut scale = String::new();
    for (decade, name) in ["100ns", "1us", "10us", "100us", "1ms", "10ms", "100ms", "1s", "10s"].iter().enumerate() {
        let place = MARGIN + decade * per_decade(view);
        // Where they stand close together, some have no room.
        if scale.len() < place {
            scale += &" ".repeat(place - scale.len());
            scale += name;
        }
    }
    let lines = [view.dim(&header::line(snapshot, view)), view.dim(&header::mode(snapshot, view))];
    format!(
        "{}\n{}\nshare of the interval's calls: {legend}{mark}\n{}\n",
        lines[0],
        lines[1],
        view.bold(&format!("{scale}  {}", rate_head(syscalls)))
    )
}

fn rate_head(syscalls: &Syscalls) -> &'static str {
    if syscalls.mode == Mode::Exact { "CALLS/s" } else { "SLEEPS/s" }
}

/// A shade's lower end.
fn from(millionths: u64) -> String {
    if millionths == 0 { ">0".into() } else { format!("≥{}%", millionths as f64 / 1e4) }
}

fn line(syscalls: &Syscalls, snapshot: &Snapshot, view: &View) -> String {
    let total = &syscalls.total;
    let none = Latency::default();
    let latency = total.latency.value().unwrap_or(&none);
    let mut text = header::time(snapshot, view);
    text += &" ".repeat(MARGIN - text.len().min(MARGIN));
    // One column for the range's open end.
    let columns = DECADES * per_decade(view);
    for count in bar::columns(latency, columns) {
        text += &cell(count, latency.count, view);
    }
    // The last label of the axis stands over the open end and two columns more.
    let width = 2 + 2 + rate_head(syscalls).len();
    text += &format!("{:>width$}", format::rate(total.times(), snapshot.interval));
    let lacks = [(total.untimed, "without a latency"), (snapshot.cost.lost(), "lost")];
    let lacks = lacks.into_iter().filter(|&(count, _)| count > 0);
    let lacks: String = lacks.map(|(count, what)| format!("  {} {what}", format::count(count))).collect();
    let fits = MARGIN + columns + 1 + width + lacks.len() <= view.limit;
    text + if fits { &lacks } else { "*" } + "\n"
}

fn per_decade(view: &View) -> usize {
    (view.width.saturating_sub(MARGIN + BEHIND) / DECADES).clamp(2, PER_DECADE)
}

fn cell(count: u64, of: u64, view: &View) -> String {
    if count == 0 || !view.colour {
        return shade(count, of).to_string();
    }
    let reached = COLOURS.iter().rev().find(|(from, _)| millionths(count, of) >= *from);
    reached.map(|(_, colour)| view.paint(&format!("48;5;{colour}"), " ")).unwrap_or_default()
}

fn millionths(count: u64, of: u64) -> u64 {
    (u128::from(count) * 1_000_000 / u128::from(of.max(1))) as u64
}

/// A blank for nothing, and for nothing else.
pub fn shade(count: u64, of: u64) -> char {
    let reached = SHADES.iter().rev().find(|(from, _)| millionths(count, of) >= *from);
    reached.filter(|_| count > 0).map_or(' ', |(_, shade)| *shade)
}

/// What the shades mean.
pub fn shades() -> String {
    SHADES.map(|(share, shade)| format!("{shade}{}", from(share))).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::sample;

    #[test]
    fn a_line_per_interval_and_an_axis_now_and_then() {
        let mut out = Vec::new();
        let mut sink = Heat::new(&mut out, sample::view());
        sink.snapshot(&sample::busy()).unwrap();
        sink.snapshot(&sample::idle()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        14:02:11  1.0s  pressure cpu 12% io 61%/44% mem 0%   self 0.21% cpu, 9 MiB, 17 lost (task table full 17)
        syscalls exact
        share of the interval's calls: ░>0 ▒≥0.1% ▓≥1% █≥10%
                  100ns  1us    10us   100us  1ms    10ms   100ms  1s     10s  CALLS/s
        14:02:11     █  ░█▓    ▒     ▒          ░▒  ▒    ░ ░    ░  ░              116k  2 without a latency  17 lost
        14:02:12                                                                     0
        ");
        let mut out = Vec::new();
        let mut sink = Heat::new(&mut out, sample::view());
        (0..AXIS_EVERY * 2).for_each(|_| sink.snapshot(&sample::busy()).unwrap());
        assert_eq!(String::from_utf8(out).unwrap().matches("CALLS/s").count(), 2);
    }

    #[test]
    fn one_call_in_a_million_is_seen() {
        let plain = sample::view();
        assert_eq!(cell(1, 10_000_000, &plain), "░");
        assert_eq!(
            (cell(0, 9, &plain), cell(9, 9, &plain), cell(1, 100, &plain)),
            (" ".into(), "█".into(), "▓".into())
        );
        let colour = View { colour: true, ..plain };
        assert_eq!(cell(1, 10_000_000, &colour), "\x1b[48;5;17m \x1b[0m");
    }
}
