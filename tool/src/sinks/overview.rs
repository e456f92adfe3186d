//! All probes at once, in at most twenty lines below the header: what matters now, and what it means.

mod findings;
mod rows;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::{Sink, View, format, header};
use crate::{
    findings::name,
    snapshot::{Snapshot, finding::Findings, oom::Kill},
};

/// Below the header.
pub const LINES: usize = 20;
/// Of the probes; findings may have the rest.
const ROWS: usize = 8;

/// Writes an overview of each interval to `W`.
pub struct Overview<W> {
    out: W,
    view: View,
    first: bool,
}

impl<W: Write> Overview<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, first: true }
    }
}

impl<W: Write> Sink for Overview<W> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            text.push('\n');
        }
        text += &frame(snapshot, &self.view);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// One line at once: the finding of the next interval says more, and `stillwatch oom` all.
    fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        for kill in kills {
            let time = kill.at.to_zoned(self.view.zone.clone()).strftime("%H:%M:%S%.3f").to_string();
            let victim = name(&kill.victim.who);
            let line = self.view.bold(&format!("{time}  the kernel killed {victim} for want of memory"));
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

fn frame(snapshot: &Snapshot, view: &View) -> String {
    let mut text = header::line(snapshot, view);
    if !view.only.is_empty() {
        text += &format!("   only {}", view.only);
    }
    let mut text = view.dim(&text) + "\n";
    let nothing = Findings::default();
    let found = snapshot.findings.as_ref().unwrap_or(&nothing);
    let rows: Vec<String> = rows::all(snapshot).iter().flat_map(|row| wrapped(row, view)).take(ROWS).collect();
    if rows.is_empty() && found.open.is_empty() && found.over.is_empty() {
        text += "nothing above thresholds\n";
    }
    for line in rows.iter().chain(&findings::lines(found, LINES - rows.len() - 1, view)) {
        text += line;
        text.push('\n');
    }
    text
}

/// As many lines as it takes, those after the first under its text.
fn wrapped(line: &str, view: &View) -> Vec<String> {
    let options = textwrap::Options::new(view.width.max(LEAST)).subsequent_indent(INDENT).break_words(false);
    textwrap::wrap(line, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Labels of rows and times of findings stand in this column.
const INDENT: &str = "        ";
/// Narrower terminals wrap by themselves.
const LEAST: usize = 40;

/// `for 12s`.
fn lasted(duration: std::time::Duration) -> String {
    format::duration(duration.as_nanos() as u64)
}
