//! Text tables, one block per interval.

use std::io::{self, Write};

use super::{
    Sink, View, bar, callers,
    format::{self, UNKNOWN},
    header,
    table::Table,
};
use crate::snapshot::{
    Snapshot,
    oom::Kill,
    syscalls::{Mode, Row, Syscalls},
    tcp::Events,
};

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
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if let Some(tcp) = snapshot.tcp.as_ref().filter(|tcp| tcp.events_only) {
            let mut text = self.head_of_events(&tcp.events);
            super::tcp::live::close(&mut text, tcp, snapshot, &self.view);
            self.headed = false;
            self.out.write_all(text.as_bytes())?;
            return self.out.flush();
        }
        let mut text = String::new();
        if !std::mem::take(&mut self.first) {
            text.push('\n');
        }
        text += &frame(snapshot, &self.view);
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        let mut text = String::new();
        for kill in kills {
            if !std::mem::take(&mut self.first) {
                text.push('\n');
            }
            super::oom::kill(&mut text, kill, &self.view);
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn frame(snapshot: &Snapshot, view: &View) -> String {
    let mut text = String::new();
    for line in [header::line(snapshot, view), header::mode(snapshot, view)] {
        text += &view.dim(&line);
        text.push('\n');
    }
    if let Some(syscalls) = &snapshot.syscalls {
        calls(&mut text, syscalls, snapshot, view);
        for note in notes(syscalls) {
            text += &view.dim(&note);
            text.push('\n');
        }
        callers::slow(&mut text, syscalls, view);
        callers::in_flight(&mut text, syscalls, view);
        callers::by(&mut text, syscalls, snapshot, view);
    }
    if let Some(io) = &snapshot.io {
        super::io::draw(&mut text, io, snapshot, view);
    }
    if let Some(tcp) = &snapshot.tcp {
        super::tcp::draw(&mut text, tcp, snapshot, view);
    }
    if let Some(oom) = &snapshot.oom {
        super::oom::draw(&mut text, oom, snapshot, view);
    }
    if let Some(cpu) = &snapshot.cpu {
        super::cpu::draw(&mut text, cpu, snapshot, view);
    }
    text
}

/// The table of calls, with their sum.
fn calls(text: &mut String, syscalls: &Syscalls, snapshot: &Snapshot, view: &View) {
    if syscalls.rows.is_empty() {
        *text += match (syscalls.mode, view.only.is_empty()) {
            (Mode::Exact, true) => "no system call returned in this interval\n",
            (Mode::Exact, false) => "no such system call returned in this interval\n",
            (Mode::Blocked, true) => "no system call slept in this interval\n",
            (Mode::Blocked, false) => "no such system call slept in this interval\n",
        };
        return;
    }
    let exact = syscalls.mode == Mode::Exact;
    let mut table = Table::new().left("SYSCALL", 15);
    table = if exact { table.right("CALLS/s", 7).right("ERR/s", 5) } else { table.right("SLEEPS/s", 8) };
    for head in ["p50", "p90", "p99", "p99.9", "MAX"] {
        table = table.close(head, 5);
    }
    table = table.right("TIME/s", 6).left(bar::spark_head(view.narrow()), 0);
    if exact && !view.narrow() {
        table = table.left("ERRORS", 0);
    }
    for row in syscalls.rows.iter().take(view.top) {
        table.row(cells(row, &row.syscall, exact, snapshot, view));
    }
    if let Some(rest @ [_, ..]) = syscalls.rows.get(view.top..) {
        // Their quantiles are part of the total's.
        let sum = |of: fn(&Row) -> u64| rest.iter().map(of).sum();
        let mut row = vec![format!("{} more", rest.len()), format::rate(sum(|row| row.calls), snapshot.interval)];
        if exact {
            row.push(format::rate(sum(|row| row.errors), snapshot.interval));
        }
        row.extend([""; 5].map(String::from));
        row.push(format::time_rate(sum(|row| row.latency.total_ns), snapshot.interval));
        table.row(row);
    }
    table.row(cells(&syscalls.total, "total", exact, snapshot, view));
    table.draw(text, view);
}

fn cells(row: &Row, name: &str, exact: bool, snapshot: &Snapshot, view: &View) -> Vec<String> {
    let mut cells = vec![name.to_owned(), format::rate(row.calls, snapshot.interval)];
    if exact {
        cells.push(format::rate(row.errors, snapshot.interval));
    }
    let latency = &row.latency;
    if latency.count == 0 {
        cells.extend([UNKNOWN; 6].map(String::from));
    } else {
        let quantiles = [latency.p50_ns, latency.p90_ns, latency.p99_ns, latency.p999_ns, latency.max_ns];
        cells.extend(quantiles.map(format::duration));
        cells.push(format::time_rate(latency.total_ns, snapshot.interval));
    }
    cells.push(bar::spark(latency, view.narrow()));
    if let Some((error, count)) = &row.commonest_error {
        let share = *count as f64 * 100.0 / row.errors.max(1) as f64;
        cells.push(format!("{error} {}", format::percent(share)));
    }
    cells
}

/// What the table's numbers leave out.
fn notes(syscalls: &Syscalls) -> Vec<String> {
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

#[cfg(test)]
mod tests;
