//! Findings as lines: the statement of each, and of the worst ones what it rests on, as far as there is room.

use super::lasted;
use crate::{
    escape::escape,
    sinks::{View, format},
    snapshot::finding::{Evidence, Findings, Open, Value},
};

const INDENT: &str = "        ";
/// Statements; the rest is only counted.
const STATEMENTS: usize = 6;

/// At most `room` lines.
pub fn lines(found: &Findings, room: usize, view: &View) -> Vec<String> {
    let over: Vec<String> = found.over.iter().take(3).map(|open| view.dim(&ended(open))).collect();
    let about = view.dim(&rest(found));
    let shown = &found.open[..found.open.len().min(STATEMENTS)];
    let more = found.open.len() - shown.len();
    let mut spare = room.saturating_sub(over.len() + 1 + shown.len() + usize::from(more > 0));
    let mut lines = Vec::new();
    for open in shown {
        lines.push(statement(open, view));
        let details = details(open);
        if details.len() <= spare {
            spare -= details.len();
            lines.extend(details.iter().map(|line| view.dim(line)));
        }
    }
    if more > 0 {
        lines.push(view.dim(&format!(
            "{INDENT}{} (--json has them)",
            format::plural(more as u64, "more finding", "more findings")
        )));
    }
    lines.extend(over);
    lines.push(about);
    lines
}

/// `! 12s   sda is saturated: …`
fn statement(open: &Open, view: &View) -> String {
    let held = format!("! {:<6}", lasted(open.lasted));
    let not_now = if open.now { "" } else { " (not in this interval)" };
    let text = &open.finding.statement;
    if open.now { format!("{}{}", view.bold(&held), view.bold(text)) } else { format!("{held}{text}{not_now}") }
}

fn ended(open: &Open) -> String {
    format!("over    after {}: {}", lasted(open.lasted), open.finding.statement)
}

/// What a finding rests on and leaves open.
fn details(open: &Open) -> Vec<String> {
    let finding = &open.finding;
    let evidence: Vec<String> = finding.evidence.iter().map(one).collect();
    let doubts = match &finding.doubts[..] {
        [] => String::new(),
        doubts => format!(" ({})", doubts.join("; ")),
    };
    let mut lines = vec![format!("{INDENT}confidence {}{doubts}: {}", finding.confidence(), evidence.join(", "))];
    let unknown = match &finding.unknown[..] {
        [] => String::new(),
        unknown => format!("unknown: {}; ", unknown.join("; ")),
    };
    lines.push(format!("{INDENT}{unknown}next: {}", finding.next));
    lines
}

/// `sda p99 118ms`
fn one(evidence: &Evidence) -> String {
    let value = match evidence.value {
        Value::Nanoseconds(ns) => format::duration(ns),
        Value::NanosecondsPerSecond(ns) => format!("{}/s", format::duration(ns)),
        Value::Count(count) => format::count(count),
        Value::PerSecond(rate) => format!("{}/s", format::rate_of(rate)),
        Value::Percent(percent) => format::percent(percent),
        Value::Bytes(bytes) => format::bytes(bytes),
    };
    format!("{} {value}", escape(&evidence.what))
}

/// What is fine, and of what nothing is said.
fn rest(found: &Findings) -> String {
    let fine: Vec<String> = found.ruled_out.iter().map(|area| format!("{} ({})", area.area, area.because)).collect();
    let fine = match &fine[..] {
        [] => "nothing is ruled out".to_owned(),
        fine => format!("ruled out: {}", fine.join("; ")),
    };
    let not_measured = match &found.not_measured[..] {
        [] => String::new(),
        what => format!("; not measured: {}", escape(&what.join(", "))),
    };
    fine + &not_measured
}
