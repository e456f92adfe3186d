//! The `log` probe's part of a snapshot: what was said then.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Who, who::about};
pub use crate::log_line::{HarmKind, Severity, TimeOf};
use crate::table::{Known, ROWS, named, placed, table};

/// Reasons why something is not known.
pub const TOO_YOUNG: &str = "watched for less than 10s";
pub const WAS_SILENT: &str = "there was nothing before";
pub const STARTED: &str = "it was not there when this interval began";

named!(Severity, TimeOf, HarmKind);

about! { LogLine: who; HarmLine: who; }

placed! {
    LogSource: row => (Reverse((row.errors.value().copied(), row.lines.value().copied())), row.source.clone());
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// Those with most errors come first.
    pub sources: Vec<LogSource>,
    /// In order of time: the first and the last of each source, where there were many.
    pub lines: Vec<LogLine>,
    /// Lines of the kernel itself that mean harm.
    pub harm: Vec<HarmLine>,
}

impl Log {
    /// Lines that are too many go from the middle, and are counted.
    pub fn bound(&mut self) {
        let many = self.lines.len().saturating_sub(ROWS);
        let middle = ROWS.min(self.lines.len()) / 2;
        for line in self.lines.drain(middle..middle + many) {
            let source = self.sources.iter_mut().find(|source| source.source == line.source);
            if let Some(left_out) = source.and_then(|source| source.left_out.value_mut()) {
                *left_out += 1;
            }
        }
        self.harm.truncate(ROWS);
    }

    /// Puts lines of somebody of these before the others.
    pub fn first_of(&mut self, somebody: &[&Who]) {
        self.lines.sort_by_key(|line| !line.is_of(somebody));
    }

    pub fn errors(&self) -> u64 {
        self.sources.iter().filter_map(|source| source.errors.value()).sum()
    }
}

impl LogLine {
    /// Whether one of these wrote it, or somebody in the same cgroup.
    pub fn is_of(&self, somebody: &[&Who]) -> bool {
        let same = |who: &Who| {
            let process = who.pid.is_some() && who.pid == self.who.pid;
            process || who.cgroup.as_ref().is_some_and(|path| path != "/" && Some(path) == self.who.cgroup.as_ref())
        };
        somebody.iter().any(|who| same(who))
    }
}

table! {
    /// A log that is followed.
    pub struct LogSource in "log.sources" {
        /// `kernel`, `journal`, or the path of a file.
        source: String = label(), text [cgroup("SOURCE")];
        /// Lines that came.
        lines: Known<u64> = counter("lines"), text [rate("LINES/s").least(7)];
        /// Of severity error or worse, as the source or the line says.
        errors: Known<u64> = counter("lines").as_of("lines"), text [count("ERRORS").least(6)];
        /// Lines that mean harm.
        harm: Known<u64> = counter("lines").as_of("lines"), text [count("HARM").unless_zero().least(4)];
        /// Lines of which none like it was there within an hour.
        new: Known<u64> = counter("lines").as_of("lines"), text [count("NEW").least(5)];
        /// Lines that are not among `lines`: of many, the first and the last are.
        left_out: Known<u64> = counter("lines").as_of("lines"), text [count("LEFT OUT").least(8)];
        /// Of these, lines that were counted and not looked at.
        unread: Known<u64> = counter("lines").as_of("lines");
        /// What was not even counted: more was written than can be read.
        skipped_bytes: Known<u64> = counter("bytes").as_of("lines"), text [bytes("SKIPPED").unless_zero().least(7)];
        /// Lines each second until this interval, in ten minutes at the most.
        usual_per_s: Known<f64> = gauge("lines per second"), text [own("USUAL/s", "usual").right().least(7)];
        /// How many times as many there are now.
        louder: Known<f64> = gauge("times").as_of("usual_per_s"), text [own("LOUDER", "louder").right().least(6)];
    }

    /// A line, as it was written.
    pub struct LogLine in "log.lines" {
        /// When it was.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// What says so: the line itself, the line before that it goes on, or its arrival.
        time_of: TimeOf = info().key("at_of");
        /// Where it stands.
        source: String = label(), text [own("SOURCE", "source")];
        /// None: it does not say.
        severity: Option<Severity> = info(), text [own("SEVERITY", "severity").after("at").least(8)];
        /// Of systemd.
        unit: Option<String> = info().optional();
        /// What its program calls itself.
        ident: Option<String> = info().optional(), text [own("FROM", "from").after("source")];
        /// Who wrote it, where that is known.
        who: Who = label().columns(Who::COLUMNS).flat();
        /// None like it was there within an hour; absent where that is not known.
        new: Option<bool> = info().optional(), text [own("NEW", "new").after("severity").least(3)];
        /// How long it is; of a longer one than 4096 bytes only the begin is kept.
        bytes: u64 = gauge("bytes");
        /// Bytes that are no UTF-8 are written as `\xff`, and a backslash as `\x5c`.
        encoded: bool = flag().sparse();
        /// Without the end of the line.
        text: String = label(), text [own("LINE", "line")];
    }

    /// Something that is harm, as the kernel's log has it.
    pub struct HarmLine in "log.harm" {
        /// When it was.
        at: Timestamp = label().hidden(), text [clock("TIME")];
        /// What.
        kind: HarmKind = label(), text [own("HARM", "kind").least(16)];
        /// The device, interface or CPU.
        on: Option<String> = label(), text [own("ON", "on").least(8)];
        /// The task that it happened to.
        who: Who = label().columns(Who::COLUMNS).flat(), text [own("WHO", "who").least(15)];
        /// A sector, seconds, a port; of a clock that was set, milliseconds.
        number: Option<i64> = info();
        /// The kernel's line; none, where it was found otherwise.
        text: Option<String> = label(), text [own("LINE", "line")];
    }
}
