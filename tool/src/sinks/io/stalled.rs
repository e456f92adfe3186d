//! Who waited in uninterruptible sleep, and for what.

use unicode_width::UnicodeWidthStr;

use crate::{
    escape::{escape, fit},
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::{more, who, who_cells, why},
    },
    snapshot::io::Stalled,
};

/// Columns for who ended a wait, such as `kworker/u16:3+flush-8:0`.
const WAKER: usize = 24;

pub fn draw(text: &mut String, stalled: &[Stalled], view: &View) {
    let rows: Vec<&Stalled> = stalled.iter().filter(|row| view.kernel_threads || !row.kernel_thread).collect();
    if rows.is_empty() {
        let nobody = if view.whose { "no such process" } else { "nobody" };
        // An empty table must not read as "nothing waits".
        let left_out = if stalled.is_empty() { "" } else { " (kernel threads left out: --kernel-threads)" };
        *text += &format!("{nobody} was stalled in this interval{left_out}\n");
        return;
    }
    let mut table = who(Table::new(), "STALLED".into(), view);
    table = table.right("WAITS", 5).close("TOTAL", 5).close("MAX", 5).right("NOW", 5);
    if !view.narrow() {
        table = table.left("WAITING FOR", 0);
    }
    for row in rows.iter().take(view.top) {
        let mut cells = who_cells(&row.who, view);
        cells.extend([format::count(row.waits), format::duration(row.total_ns), max(row), now(row)]);
        let reason = waiting_for(row);
        if view.narrow() {
            table.row(cells);
            table.below([format!("  {reason}")]);
        } else {
            cells.push(reason);
            table.row(cells);
        }
        if view.stacks {
            table.below(stack(&row.stack, view.width));
        }
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}

/// A wait since before we started is longer than all that were measured, and nobody knows how long.
fn max(row: &Stalled) -> String {
    if row.before_start { UNKNOWN.into() } else { format::duration(row.max_ns) }
}

/// Age of the oldest wait that goes on, and how many threads wait.
fn now(row: &Stalled) -> String {
    let age = match row.now_ns {
        _ if row.now == 0 => return UNKNOWN.into(),
        _ if row.before_start => "since before start".into(),
        Some(age) => format::duration(age),
        None => UNKNOWN.into(),
    };
    if row.now > 1 { format!("{age} ×{}", format::count(row.now)) } else { age }
}

/// `fsync: journal commit on sda, woken by jbd2/sda1-8`
pub fn waiting_for(row: &Stalled) -> String {
    let reason = match &row.reason {
        Some(reason) => reason,
        // No stack could be read, of one that may be long.
        None if row.now > 0 => "reason not known",
        None => "short waits",
    };
    let mut text = match &row.syscall {
        Some(call) => escape(&format!("{call}: {reason}")).into_owned(),
        None => escape(reason).into_owned(),
    };
    if let Some(device) = &row.device {
        text += &format!(" on {}", escape(device));
    }
    if let Some(waker) = &row.woken_by {
        text += &format!(", woken by {}", fit(waker, WAKER));
    }
    if let Some(why) = why(&row.who) {
        text += &format!(" {why}");
    }
    text
}

/// `a < b < c`, on as many lines as it takes; a line that goes on ends with `<`.
fn stack(frames: &[String], width: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let mut lines = Vec::new();
    let mut line = String::new();
    for frame in frames {
        let frame = escape(frame);
        if line.is_empty() {
            line = format!("{INDENT}{frame}");
        } else if line.width() + 3 + frame.width() + 2 <= width {
            line += &format!(" < {frame}");
        } else {
            lines.push(line + " <");
            line = format!("{INDENT}{frame}");
        }
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}
