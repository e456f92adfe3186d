//! Text tables, one block per interval.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{Note, Sink, View, header, page};
use crate::snapshot::{Snapshot, disk::holds::Found, oom::Kill, tcp::Events};

/// Writes the tables of each interval to `W`.
pub struct Stream<W> {
    out: W,
    view: View,
    first: bool,
    /// The head of single events stands above, and nothing else since.
    headed: bool,
}

impl<W: Write> Stream<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, first: true, headed: false }
    }
}

impl<W: Write> Stream<W> {
    fn head_of_events(&mut self, events: &Events) -> String {
        if events.is_empty() || std::mem::replace(&mut self.headed, true) {
            return String::new();
        }
        super::tcp::live::head(&self.view)
    }
}

impl<W: Write> Sink for Stream<W> {
    fn events(&mut self, events: &Events) -> io::Result<()> {
        let mut text = self.head_of_events(events);
        super::tcp::live::draw(&mut text, events, &self.view);
        page::print(&mut self.out, &text, &self.view)
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if let Some(tcp) = snapshot.tcp.as_ref().filter(|tcp| tcp.events_only) {
            let mut text = self.head_of_events(&tcp.events);
            super::tcp::live::close(&mut text, tcp, snapshot, &self.view);
            self.headed = false;
            return page::print(&mut self.out, &text, &self.view);
        }
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            text.push('\n');
        }
        text += &frame(snapshot, &self.view);
        page::print(&mut self.out, &text, &self.view)
    }

    fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        let mut text = String::new();
        for kill in kills {
            if !std::mem::take(&mut self.first) {
                text.push('\n');
            }
            super::oom::kill(&mut text, kill, &self.view);
        }
        page::print(&mut self.out, &text, &self.view)
    }

    fn found(&mut self, found: &Found) -> io::Result<()> {
        let mut text = String::new();
        super::disk::holds::draw(&mut text, found, &self.view);
        page::print(&mut self.out, &text, &self.view)
    }

    fn note(&mut self, at: Timestamp, note: Note) -> io::Result<()> {
        page::print(&mut self.out, &note.line(at, &self.view), &self.view)
    }
}

fn frame(snapshot: &Snapshot, view: &View) -> String {
    let mut text = String::new();
    for line in [header::line(snapshot, view), header::mode(snapshot, view)] {
        text += &view.dim(&line);
        text.push('\n');
    }
    macro_rules! draw {
        ($($probe:ident: $_part:ident),*) => {
            $(match &snapshot.$probe {
                Some(part) => super::$probe::draw(&mut text, part, snapshot, view),
                None => text += &header::unavailable(snapshot, stringify!($probe)).unwrap_or_default(),
            })*
        };
    }
    probes!(draw);
    text
}

#[cfg(test)]
mod tests;
