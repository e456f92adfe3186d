//! All probes at once, in at most twenty lines below the header: what matters now, and what it means.

pub mod findings;
pub mod rows;
#[cfg(test)]
pub mod tests;

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Note, Sink, View, format, header, notes, page};
use crate::snapshot::{Snapshot, finding::Findings, oom::Kill};

/// Below the header.
pub const LINES: usize = 20;
/// Of the probes; findings may have the rest.
const ROWS: usize = 8;

/// Writes an overview of each interval to `W`.
pub struct Overview<W> {
    out: W,
    view: View,
    first: bool,
    rest: Rest,
}

impl<W: Write> Overview<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, first: true, rest: Rest::default() }
    }
}

impl<W: Write> Sink for Overview<W> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            text.push('\n');
        }
        let changed = self.rest.follow(snapshot.findings.as_ref());
        text += &frame(snapshot, changed, &self.view);
        page::print(&mut self.out, &text, &self.view)
    }

    fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        let kills = kills.iter().map(|kill| notes::kill(kill, &self.view));
        page::print(&mut self.out, &kills.collect::<String>(), &self.view)
    }

    fn note(&mut self, at: Timestamp, note: Note) -> io::Result<()> {
        page::print(&mut self.out, &note.line(at, &self.view), &self.view)
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(last) = self.rest.last.as_ref().filter(|_| !self.rest.shown) else { return Ok(()) };
        page::print(&mut self.out, &(findings::rest(last, &self.view).join("\n") + "\n"), &self.view)
    }
}

/// What is ruled out: said again when it is of other areas, and at the end. Its numbers are other ones each time.
#[derive(Default)]
struct Rest {
    last: Option<Findings>,
    shown: bool,
}

impl Rest {
    /// Whether it is to be said now.
    fn follow(&mut self, found: Option<&Findings>) -> bool {
        let found = found.cloned().unwrap_or_default();
        let says =
            |of: &Findings| (of.ruled_out.iter().map(|row| row.area).collect::<Vec<_>>(), of.not_measured.clone());
        self.shown = self.last.as_ref().map(says) != Some(says(&found));
        self.last = Some(found);
        self.shown
    }
}

fn frame(snapshot: &Snapshot, rest: bool, view: &View) -> String {
    let mut text = header::line(snapshot, view);
    if !view.only.is_empty() {
        text += &format!("   only {}", view.only);
    }
    let mut text = view.dim(&text) + "\n";
    let nothing = Findings::default();
    let found = snapshot.findings.as_ref().unwrap_or(&nothing);
    let rows: Vec<String> = rows::all(snapshot).iter().flat_map(|row| wrapped(row, view)).take(ROWS).collect();
    if rows.is_empty() && found.open.is_empty() && found.over.is_empty() && found.unclear.is_empty() {
        text += "nothing above thresholds\n";
    }
    for line in rows.iter().chain(&findings::lines(found, rest, LINES - rows.len() - 1, view)) {
        text += line;
        text.push('\n');
    }
    text
}

/// As many lines as it takes, those after the first under its text.
fn wrapped(line: &str, view: &View) -> Vec<String> {
    page::wrap(line, view.width, INDENT.len())
}

/// Labels of rows and times of findings stand in this column.
const INDENT: &str = "        ";

/// `for 12s`.
fn lasted(duration: std::time::Duration) -> String {
    format::duration(duration.as_nanos() as u64)
}
