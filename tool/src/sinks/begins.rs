//! What a recorder tells meanwhile: a line for what begins and ends.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Note, Sink, View, format, notes, page, values::clock};
use crate::snapshot::{
    Snapshot,
    finding::{Open, State},
    oom::Kill,
};

pub struct Begins<W> {
    out: W,
    view: View,
}

impl<W: Write> Begins<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view }
    }
}

impl<W: Write> Sink for Begins<W> {
    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let Some(findings) = &snapshot.findings else { return Ok(()) };
        let of_harm = |open: &&Open| open.finding.harm > 0.0;
        let time = clock(snapshot.at, &self.view);
        let mut text = String::new();
        for open in findings.open.iter().filter(of_harm).filter(|open| open.state == State::Started) {
            text += &format!("{time}  begins: {}\n", open.finding.statement);
        }
        for open in findings.over.iter().filter(of_harm) {
            let lasted = format::interval(open.lasted);
            text += &format!("{time}  over after {lasted}: {}\n", open.finding.statement);
        }
        if text.is_empty() { Ok(()) } else { page::print(&mut self.out, &text, &self.view) }
    }

    fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        let kills = kills.iter().map(|kill| notes::kill(kill, &self.view));
        page::print(&mut self.out, &kills.collect::<String>(), &self.view)
    }

    fn note(&mut self, at: Timestamp, note: Note) -> io::Result<()> {
        page::print(&mut self.out, &note.line(at, &self.view), &self.view)
    }
}
