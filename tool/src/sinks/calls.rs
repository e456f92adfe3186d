//! The table of system calls, with their sum.

use super::{View, format, rows::Rows, table::Noted, values::Show};
use crate::snapshot::{
    Snapshot,
    syscalls::{Call, Mode, Syscalls},
};

pub fn draw(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    if syscalls.rows.is_empty() {
        *text += match (syscalls.mode, view.only.is_empty()) {
            (Mode::Exact, true) => "no system call returned in this interval\n",
            (Mode::Exact, false) => "no such system call returned in this interval\n",
            (Mode::Blocked | Mode::Long, true) => "no system call slept in this interval\n",
            (Mode::Blocked | Mode::Long, false) => "no such system call slept in this interval\n",
        };
        return;
    }
    let all: Vec<&Call> = syscalls.rows.iter().collect();
    let (shown, rest) = all.split_at(all.len().min(view.top));
    let rows = Rows::new(view, snapshot.interval).own(own).without(of_mode(syscalls.mode));
    let mut table = rows.table(shown, &all);
    if !rest.is_empty() {
        table.row(more(rest, syscalls.mode, snapshot));
    }
    table.row(rows.cells(&syscalls.total, &all));
    table.draw(text, view);
}

/// Columns that only this table can put into words.
pub fn own(row: &Call, name: &str, _: &Show) -> Noted {
    match name {
        "syscall" if row.syscall.is_empty() => "total".into(),
        "syscall" => row.syscall.as_str().into(),
        "error" => error(row).into(),
        _ => Noted::default(),
    }
}

/// Columns of the other mode.
pub fn of_mode(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Exact => &["SLEEPS/s"],
        Mode::Blocked | Mode::Long => &["CALLS/s", "ERR/s", "ERRORS"],
    }
}

fn error(row: &Call) -> String {
    let (Some(error), Some(errors)) = (&row.commonest_error, row.errors.value()) else { return String::new() };
    let share = error.count as f64 * 100.0 / (*errors).max(1) as f64;
    format!("{} {}", error.name, format::percent(share))
}

/// Those that are not shown. Their quantiles are part of the total's.
fn more(rest: &[&Call], mode: Mode, snapshot: &Snapshot) -> Vec<Noted> {
    let rate = |of: fn(&Call) -> u64| format::rate(rest.iter().map(|row| of(row)).sum(), snapshot.interval);
    let mut cells: Vec<Noted> = vec![format!("{} more", rest.len()).into(), rate(Call::times).into()];
    if mode == Mode::Exact {
        cells.push(rate(|row| row.errors.value().copied().unwrap_or(0)).into());
    }
    cells.extend([""; 5].map(Noted::from));
    cells.push(format::time_rate(rest.iter().map(|row| row.timed_ns()).sum(), snapshot.interval).into());
    cells
}

/// What the table's numbers leave out.
pub fn notes(syscalls: &Syscalls) -> Vec<String> {
    let total = &syscalls.total;
    let mut notes = Vec::new();
    if total.untimed > 0 {
        let calls = format::plural(total.untimed, "call has", "calls have");
        let reasons = [(total.unreturned, "ended their task"), (syscalls.before_start, "began before start")];
        let reasons = reasons.into_iter().filter(|&(count, _)| count > 0);
        let reasons: Vec<_> = reasons.map(|(count, what)| format!("{} {what}", format::count(count))).collect();
        let of_these = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        notes.push(format!("{calls} no latency{of_these}"));
    } else if syscalls.before_start > 0 {
        notes.push(format!("{} before start", format::plural(syscalls.before_start, "call began", "calls began")));
    }
    if total.interrupted > 0 {
        notes.push(format!("{} cut short by a signal", format::plural(total.interrupted, "call was", "calls were")));
    }
    notes
}
