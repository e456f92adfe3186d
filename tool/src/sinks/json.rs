//! One JSON object per line: one per probe and interval, and before it one per event. With everything that is known:
//! `--top` cuts tables for people, not data.
//!
//! Versioned by `v`. Text from the host is kept as it is, but so escaped that printing the line is harmless.

mod changes;
mod cpu;
mod disk;
mod finding;
mod io;
mod latency;
mod line;
mod log;
mod oom;
mod row;
mod syscalls;
mod tcp;

pub use self::{
    finding::Finding,
    latency::WHY,
    row::{Object, Row, Summed, reason},
};

use std::io::{Result, Write};

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

use self::line::Line;
use super::{Note, Sink, View};
use crate::{
    escape::escape,
    snapshot::{Snapshot, Unavailable, disk::holds::Found, oom::Kill, tcp::Events},
    table::Cell,
};

/// Writes a line per probe and interval to `W`.
pub struct Json<W> {
    out: W,
    view: View,
    /// Their memory is used again for the next.
    lines: Lines,
}

impl<W: Write> Json<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, lines: Lines(BytesMut::with_capacity(16 << 10)) }
    }

    /// In one write.
    fn write(&mut self, add: impl FnOnce(&mut Lines, &View) -> Result<()>) -> Result<()> {
        add(&mut self.lines, &self.view)?;
        self.lines.write_to(&mut self.out)?;
        self.out.flush()
    }
}

/// Lines that are not written yet.
#[derive(Default)]
pub struct Lines(BytesMut);

impl Lines {
    /// In one write, after which there are none.
    pub fn write_to(&mut self, out: &mut impl Write) -> Result<()> {
        out.write_all(&self.0)?;
        self.0.clear();
        Ok(())
    }

    pub fn add(&mut self, line: &impl Serialize) -> Result<()> {
        let out = (&mut self.0).writer();
        line.serialize(&mut serde_json::Serializer::with_formatter(out, Harmless))?;
        self.0.put_u8(b'\n');
        Ok(())
    }
}

impl<W: Write> Sink for Json<W> {
    fn events(&mut self, events: &Events) -> Result<()> {
        self.write(|lines, _| tcp::events(lines, events))
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.write(|lines, view| {
            if snapshot.cost.level_changed {
                lines.add(&line::Event::of("stillwatch", "level", snapshot.at, line::NewLevel::of(&snapshot.cost)))?;
            }
            macro_rules! add {
                ($($probe:ident: $_part:ident),*) => {
                    $(if let Some(part) = &snapshot.$probe {
                        $probe::add(lines, part, snapshot, view)?;
                    })*
                };
            }
            probes!(add);
            for Unavailable { probe, why } in &snapshot.unavailable {
                lines.add(&Line::of(probe, snapshot, line::Unavailable { unavailable: why }))?;
            }
            if let Some(findings) = &snapshot.findings {
                for finding in finding::Finding::all(findings, snapshot) {
                    lines.add(&finding)?;
                }
                lines.add(&finding::Areas::fine(findings, snapshot))?;
                if !findings.unclear.is_empty() {
                    lines.add(&finding::Areas::unclear(findings, snapshot))?;
                }
                lines.add(&Line::of("overview", snapshot, finding::Ledger::of(findings)))?;
            }
            Ok(())
        })
    }

    fn note(&mut self, at: Timestamp, note: Note) -> Result<()> {
        self.write(|lines, _| match note {
            Note::Mark { text } => lines.add(&line::Event::of("stillwatch", "mark", at, line::Marked { text })),
            Note::Gap { entries, why } => {
                lines.add(&line::Event::of("stillwatch", "gap", at, line::Gap { entries, why }))
            }
        })
    }

    fn found(&mut self, found: &Found) -> Result<()> {
        self.write(|lines, _| lines.add(&disk::found(found)))
    }

    fn kills(&mut self, kills: &[Kill]) -> Result<()> {
        self.write(|lines, _| kills.iter().try_for_each(|kill| lines.add(&oom::kill(kill))))
    }
}

/// A value, as it stands in a line.
pub fn text(cell: &Cell<'_>) -> Result<String> {
    let mut text = Vec::new();
    row::One(cell).serialize(&mut serde_json::Serializer::with_formatter(&mut text, Harmless))?;
    String::from_utf8(text).map_err(std::io::Error::other)
}

/// Compact JSON in which everything that `escape` would not let reach a terminal is a `\u` escape: serde_json itself
/// leaves DEL, the C1 controls and the marks that reverse the direction of text as they are.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> Result<()> {
        if text.bytes().all(|byte| byte.is_ascii() && byte != 0x7f) {
            return out.write_all(text.as_bytes());
        }
        let mut one = [0; 4];
        for c in text.chars() {
            let plain = c.encode_utf8(&mut one);
            if c != '\x7f' && (c.is_ascii() || escape(plain) == *plain) {
                out.write_all(plain.as_bytes())?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escape)
    }
}

#[cfg(test)]
pub mod tests;
