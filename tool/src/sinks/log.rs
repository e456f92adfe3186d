//! What was said then, as text.

use super::{
    View,
    format::{self, UNKNOWN},
    rows::Rows,
    table::Noted,
    values::Show,
    who,
};
use crate::{
    escape::{escape, escape_bytes, fit},
    log_line::{LONGEST, unescaped},
    snapshot::{
        Snapshot,
        log::{HarmKind, HarmLine, Log, LogLine, LogSource},
    },
    table::Known,
};

/// Columns that a line may take; JSON has more of it.
const LINE: usize = 600;
const FROM: usize = 24;
const SOURCE: usize = 20;

/// How it runs, for the header.
pub fn mode(_: &Log) -> &'static str {
    "log"
}

pub fn draw(text: &mut String, log: &Log, snapshot: &Snapshot, view: &View) {
    let (silent, heard): (Vec<&LogSource>, Vec<&LogSource>) =
        log.sources.iter().partition(|source| source.lines.why().is_some());
    if !heard.is_empty() {
        Rows::new(view, snapshot.interval).own(own_of_source).draw(text, &heard);
    }
    for source in silent {
        let why = source.lines.why().map(ToString::to_string).unwrap_or_default();
        *text += &view.dim(&format!("{}: {}", fit(&source.source, who::PATH), escape(&why)));
        text.push('\n');
    }
    if !log.harm.is_empty() {
        text.push('\n');
        Rows::new(view, snapshot.interval).own(own_of_harm).draw(text, &log.harm.iter().collect::<Vec<_>>());
    }
    if !log.lines.is_empty() {
        text.push('\n');
        // They are few already, whatever `--top` says.
        let lines: Vec<&LogLine> = log.lines.iter().collect();
        Rows::new(view, snapshot.interval).own(own).table(&lines, &lines).draw(text, view);
    }
}

/// Columns that only this table can put into words.
pub fn own(row: &LogLine, name: &str, _: &Show) -> Noted {
    match name {
        "source" => file_name(&row.source).into(),
        "severity" => row.severity.map_or(UNKNOWN, |severity| severity.name()).into(),
        "new" => if row.new == Some(true) { "new" } else { "" }.into(),
        "from" => from(row).into(),
        "line" => line(row).into(),
        _ => Noted::default(),
    }
}

pub fn own_of_source(row: &LogSource, name: &str, _: &Show) -> Noted {
    match (name, &row.usual_per_s, &row.louder) {
        ("usual", Known::Value(usual), _) => format::rate_of(*usual).into(),
        ("louder", _, Known::Value(times)) => format!("{times:.1}x").into(),
        ("usual" | "louder", ..) => UNKNOWN.into(),
        _ => Noted::default(),
    }
}

pub fn own_of_harm(row: &HarmLine, name: &str, _: &Show) -> Noted {
    match name {
        "kind" => row.kind.words().into(),
        "on" => row.on.as_deref().map_or(UNKNOWN.to_owned(), |on| escape(on).into_owned()).into(),
        "who" => whose(row).into(),
        "line" => harm(row).into(),
        _ => Noted::default(),
    }
}

fn whose(row: &HarmLine) -> String {
    match (&row.who.comm, row.who.pid) {
        (None, None) => UNKNOWN.to_owned(),
        _ => format::name(&row.who),
    }
}

/// In the kernel's words, or ours.
pub fn harm(row: &HarmLine) -> String {
    match (&row.text, row.kind, row.number) {
        (Some(text), ..) => fit(text, LINE),
        (None, HarmKind::TimeStepped, Some(ms)) => {
            let way = if ms < 0 { "back" } else { "forward" };
            format!("the clock was set {way} by {}", format::duration(ms.unsigned_abs().saturating_mul(1_000_000)))
        }
        _ => UNKNOWN.to_owned(),
    }
}

/// The last part of a path: the table of sources has all of it.
fn file_name(source: &str) -> String {
    fit(source.rsplit('/').next().unwrap_or(source), SOURCE)
}

fn from(row: &LogLine) -> String {
    let name = row.ident.as_ref().or(row.who.comm.as_ref()).or(row.unit.as_ref());
    match (name, row.who.pid) {
        (Some(name), Some(pid)) => format!("{}[{pid}]", fit(name, FROM)),
        (Some(name), None) => fit(name, FROM),
        (None, Some(pid)) => format!("[{pid}]"),
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// Printable, as far as there is room.
pub fn line(row: &LogLine) -> String {
    let escaped = match row.encoded {
        true => {
            let bytes = unescaped(row.text.as_bytes());
            escape_bytes(&bytes[..bytes.len().min(LINE)]).into_owned()
        }
        false => fit(&row.text, LINE),
    };
    if row.bytes > LONGEST as u64 { format!("{escaped} ({})", format::bytes(row.bytes)) } else { escaped }
}
