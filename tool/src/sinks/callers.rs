//! Tables of who is behind the calls.

use super::{
    View,
    calls::of_mode,
    format::{self, UNKNOWN},
    rows::Rows,
    table::Noted,
    values::Show,
};
use crate::{
    cli::plan::By,
    snapshot::{
        Snapshot,
        syscalls::{InFlight, Mode, Syscalls},
    },
    table::Known,
};

/// Callers of calls over the threshold.
pub fn slow(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    let over = format::duration(view.slow_ns());
    if syscalls.slow.is_empty() {
        let what = if syscalls.mode == Mode::Exact { "call" } else { "sleep" };
        *text += &format!("no {what} over {over}{}\n", left_out(view));
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).head("SLOW", format!("SLOW >{over}")).draw_bounded(text, &syscalls.slow);
}

/// Columns that only the table of calls that have not returned can put into words.
pub fn own(row: &InFlight, name: &str, _: &Show) -> Noted {
    match (name, &row.age_ns) {
        ("age", Known::Value(age)) => format::duration(*age).into(),
        ("age", Known::Not(why)) => Noted::new(UNKNOWN.to_owned(), [why.to_string()]),
        _ => Noted::default(),
    }
}

/// Calls that have not returned, and are over the threshold: younger ones are in every glance at a busy host, and gone in
/// the next. JSON has them all.
pub fn in_flight(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    let over = format::duration(view.slow_ns());
    let old = |call: &&InFlight| call.age_ns.value().is_none_or(|&age| age >= view.slow_ns());
    let calls: Vec<&InFlight> = syscalls.in_flight.iter().filter(old).collect();
    let looked = syscalls.looked_ago.map_or_else(String::new, |ago| {
        format!(", as far as was seen {} ago, when all tasks were looked at", format::duration(ago.as_nanos() as u64))
    });
    if calls.is_empty() {
        *text += &format!("no call in flight for over {over}{looked}{}\n", left_out(view));
        return;
    }
    if !looked.is_empty() {
        *text += &view.dim(&format!("calls in flight{looked}"));
        text.push('\n');
    }
    // The oldest are kept: if one of these is too young, all of the others are.
    let left_out = if calls.len() == syscalls.in_flight.len() { syscalls.in_flight.left_out() } else { 0 };
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .left_out(left_out)
        .head("IN FLIGHT", format!("IN FLIGHT >{over}"))
        .own(own)
        .draw(text, &calls);
}

/// The full breakdown, where asked for.
pub fn by(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    let (Some(rows), Some(by)) = (&syscalls.by, view.by) else { return };
    if rows.is_empty() {
        *text += "no caller in this interval\n";
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .grouped(by == By::Cgroup)
        .without(of_mode(syscalls.mode))
        .draw_bounded(text, rows);
}

/// An empty table must not read as "nothing waits".
fn left_out(view: &View) -> &'static str {
    if view.idle { "" } else { " (those that wait by design left out: --idle)" }
}
