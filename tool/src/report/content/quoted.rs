//! What logs said: lines of those whom findings are about first, then errors, then what is new.

use std::cmp::Reverse;

use super::{Block, Clock};
use crate::{
    escape::{escape, fit},
    format,
    report::story::Story,
    snapshot::{
        Who,
        log::{HarmKind, HarmLine, LogLine, Severity},
    },
};

const LINES: usize = 80;
/// Columns of a line.
const WIDTH: usize = 300;

pub fn blocks(story: &Story, clock: &Clock, is_redacted: bool) -> Vec<Block> {
    if is_redacted {
        return vec![Block::Text("Lines of logs are left out by --redact.".to_owned())];
    }
    let quoted = &story.quoted;
    if quoted.lines.is_empty() {
        return Vec::new();
    }
    let found = story.told.iter().flat_map(|told| told.worst.victims.iter().chain(&told.worst.culprits));
    let found: Vec<&Who> = found.collect();
    let rank = |line: &&LogLine| {
        let is_error = line.severity.is_some_and(Severity::is_error);
        (Reverse(line.is_of(&found)), Reverse(is_error), line.new != Some(true), line.at)
    };
    let mut lines: Vec<&LogLine> = quoted.lines.iter().collect();
    lines.sort_by_key(rank);
    lines.truncate(LINES);
    lines.sort_by_key(|line| line.at);
    let more = quoted.left_out + (quoted.lines.len() - lines.len()) as u64;
    let mut blocks = vec![Block::Heading("What logs said".to_owned())];
    blocks.push(Block::Verbatim(lines.into_iter().map(|line| one(line, clock)).collect()));
    if more > 0 {
        blocks.push(Block::Text(format!("{} left out.", format::plural(more, "more line is", "more lines are"))));
    }
    blocks
}

fn one(line: &LogLine, clock: &Clock) -> String {
    let severity = line.severity.map_or(format::UNKNOWN, Severity::name);
    let name = line.source.rsplit('/').next().unwrap_or(&line.source);
    let from = line.ident.as_deref().map(|ident| format!(" {}", escape(ident))).unwrap_or_default();
    format!("{} {severity:<7} {}{from}: {}", clock.time(line.at), escape(name), fit(&line.text, WIDTH))
}

/// Of the kernel, in the table of moments.
pub fn harm(row: &HarmLine) -> String {
    let on = row.on.as_deref().map(|on| format!(" {}", escape(on))).unwrap_or_default();
    let what = format!("{}{on}", row.kind.words());
    match (&row.text, row.kind, row.number) {
        (Some(text), ..) => format!("{what}: {}", fit(text, WIDTH)),
        (None, HarmKind::TimeStepped, Some(ms)) => format!("{what} by {ms} ms"),
        _ => what,
    }
}
