//! One JSON object per line: one per probe and interval, and before it one per event. With everything that is known:
//! `--top` cuts tables for people, not data.
//!
//! Versioned by `v`. Text from the host is kept as it is, but so escaped that printing the line is harmless.

mod cpu;
mod finding;
mod io;
mod latency;
mod line;
mod oom;
mod row;
mod syscalls;
mod tcp;
mod who;

#[cfg(test)]
pub use self::{
    latency::WHY,
    row::{Row, reason},
};

use std::io::{Result, Write};

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

use self::{io::Io, line::Line, syscalls::Syscalls};
use super::{Sink, View};
use crate::{
    escape::escape,
    snapshot::{Snapshot, Unavailable, oom::Kill, tcp::Events},
    table::Value,
};

/// Writes a line per probe and interval to `W`.
pub struct Json<W> {
    out: W,
    view: View,
    /// One line, whose memory is used again for the next.
    line: BytesMut,
}

impl<W: Write> Json<W> {
    pub fn new(out: W, view: View) -> Self {
        Self { out, view, line: BytesMut::with_capacity(16 << 10) }
    }
}

impl<W> Json<W> {
    fn add(&mut self, line: &impl Serialize) -> Result<()> {
        let out = (&mut self.line).writer();
        line.serialize(&mut serde_json::Serializer::with_formatter(out, Harmless))?;
        self.line.put_u8(b'\n');
        Ok(())
    }
}

impl<W> Json<W> {
    /// In order within each kind.
    fn add_events(&mut self, events: &Events) -> Result<()> {
        for retransmit in &events.retransmits {
            self.add(&tcp::retransmit(retransmit))?;
        }
        for connect in &events.connects {
            self.add(&tcp::connect(connect))?;
        }
        for reset in &events.resets {
            self.add(&tcp::reset(reset))?;
        }
        for dropped in &events.drops {
            self.add(&tcp::dropped(dropped))?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Json<W> {
    fn events(&mut self, events: &Events) -> Result<()> {
        self.line.clear();
        self.add_events(events)?;
        self.out.write_all(&self.line)?;
        self.out.flush()
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.line.clear();
        if let Some(syscalls) = &snapshot.syscalls {
            self.add(&Line::of("syscalls", snapshot, Syscalls::of(syscalls, &self.view)))?;
        }
        if let Some(io) = &snapshot.io {
            for request in &io.slow {
                self.add(&io::slow(request))?;
            }
            self.add(&Line::of("io", snapshot, Io::of(io, &self.view)))?;
        }
        if let Some(tcp) = &snapshot.tcp {
            self.add_events(&tcp.events)?;
            if !tcp.events_only {
                self.add(&Line::of("tcp", snapshot, tcp::Tcp::of(tcp, &tcp.opened.cell())))?;
            }
        }
        if let Some(oom) = &snapshot.oom {
            for kill in &oom.kills {
                self.add(&oom::kill(kill))?;
            }
            for kill in &oom.freed {
                self.add(&oom::freed(kill))?;
            }
            for signal in &oom.signals {
                self.add(&oom::signal(signal))?;
            }
            self.add(&Line::of("oom", snapshot, oom::Oom::of(oom)))?;
        }
        if let Some(cpu) = &snapshot.cpu {
            self.add(&Line::of("cpu", snapshot, cpu::Cpu::of(cpu, &self.view)))?;
        }
        for Unavailable { probe, why } in &snapshot.unavailable {
            self.add(&Line::of(probe, snapshot, line::Unavailable { unavailable: why }))?;
        }
        if let Some(findings) = &snapshot.findings {
            for finding in finding::Finding::all(findings, snapshot) {
                self.add(&finding)?;
            }
            self.add(&finding::RuledOut::of(findings, snapshot))?;
        }
        self.out.write_all(&self.line)?;
        self.out.flush()
    }

    fn kills(&mut self, kills: &[Kill]) -> Result<()> {
        self.line.clear();
        for kill in kills {
            self.add(&oom::kill(kill))?;
        }
        self.out.write_all(&self.line)?;
        self.out.flush()
    }
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
