//! Who waited in uninterruptible sleep, and for what.

use unicode_width::UnicodeWidthStr;

use crate::{
    escape::{escape, fit},
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        who::why,
    },
    snapshot::{Snapshot, io::Stalled},
    table::Known,
};

/// Columns for who ended a wait, such as `kworker/u16:3+flush-8:0`.
const WAKER: usize = 24;

pub fn draw(text: &mut String, stalled: &[Stalled], snapshot: &Snapshot, view: &View) {
    let rows: Vec<&Stalled> = stalled.iter().filter(|row| view.kernel_threads || !row.kernel_thread).collect();
    if rows.is_empty() {
        let nobody = if view.whose { "no such process" } else { "nobody" };
        // An empty table must not read as "nothing waits".
        let left_out = if stalled.is_empty() { "" } else { " (kernel threads left out: --kernel-threads)" };
        *text += &format!("{nobody} was stalled in this interval{left_out}\n");
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .own("now", &now)
        .own("waiting_for", &waiting_for)
        .below(&|row: &Stalled| below(row, view))
        .draw(text, &rows);
}

/// What has no room in the row.
fn below(row: &Stalled, view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(view.narrow().then(|| format!("  {}", waiting_for(row))));
    if view.stacks {
        lines.extend(stack(&row.stack, view.width));
    }
    lines
}

/// Age of the oldest wait that goes on, and how many threads wait.
fn now(row: &Stalled) -> String {
    let age = match &row.now_ns {
        _ if row.now == 0 => return UNKNOWN.into(),
        Known::Not(why) => why.to_string(),
        Known::Value(Some(age)) => format::duration(*age),
        Known::Value(None) => UNKNOWN.into(),
    };
    if row.now > 1 { format!("{age} ×{}", format::count(row.now)) } else { age }
}

/// `fsync: journal commit on sda, woken by jbd2/sda1-8`
pub fn waiting_for(row: &Stalled) -> String {
    let reason = match row.reason.value() {
        Some(reason) => reason,
        // No stack could be read, of one that may be long.
        None if row.now > 0 => "reason not known",
        None => "short waits",
    };
    let mut text = match row.syscall.value() {
        Some(call) => escape(&format!("{call}: {reason}")).into_owned(),
        None => escape(reason).into_owned(),
    };
    if let Some(device) = row.device.value() {
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
