//! Who waited in uninterruptible sleep, and for what.

use crate::{
    escape::{escape, fit},
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
    },
    snapshot::{Snapshot, io::Stalled, who::NOT_IN_TIME},
    table::{Bounded, Known, Why},
};

/// Columns for who ended a wait, such as `kworker/u16:3+flush-8:0`.
const WAKER: usize = 24;

pub fn draw(text: &mut String, stalled: &Bounded<Stalled>, snapshot: &Snapshot, view: &View) {
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
        .own(own)
        .below(&|row: &Stalled| stack(row, view))
        .left_out(stalled.left_out())
        .draw(text, &rows);
}

/// Columns that only this table can put into words.
pub fn own(row: &Stalled, name: &str, _: &Show) -> Noted {
    match name {
        "now" => now(row),
        "waiting_for" => waiting_for(row).into(),
        _ => Noted::default(),
    }
}

/// `a < b < c`, where asked for.
fn stack(row: &Stalled, view: &View) -> Option<String> {
    let frames: Vec<_> = row.stack.iter().map(|frame| escape(frame)).collect();
    (view.stacks && !frames.is_empty()).then(|| format!("    {}", frames.join(" < ")))
}

/// Age of the oldest wait that goes on, and how many threads wait.
fn now(row: &Stalled) -> Noted {
    let age = row.age_ns().filter(|_| row.now > 0).map_or_else(|| UNKNOWN.to_owned(), format::duration);
    let age = if row.now > 1 { format!("{age} ×{}", format::count(row.now)) } else { age };
    Noted::new(age, row.now_ns.why().filter(|_| row.now > 0).map(ToString::to_string))
}

/// `fsync: journal commit on sda, woken by jbd2/sda1-8`
pub fn waiting_for(row: &Stalled) -> String {
    let reason = match &row.reason {
        Known::Value(reason) => reason,
        Known::Not(Why::NotLookedAt(bound)) if bound == NOT_IN_TIME => NOT_IN_TIME,
        Known::Not(Why::NotLookedAt(_)) => "not looked at",
        // No stack could be read, of one that may be long.
        Known::Not(_) if row.now > 0 => "reason not known",
        Known::Not(_) => "short waits",
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
    text
}
