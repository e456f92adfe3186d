//! Who waits for memory, who is at a limit, who is killed by others.

use super::words;
use crate::{
    sinks::{View, rows::Rows, table::Noted, values::Show, who::one},
    snapshot::{
        Snapshot,
        oom::{Inside, Limit, Oom, Reclaim, Signal},
    },
    table::Columns,
};

pub fn draw(text: &mut String, oom: &Oom, snapshot: &Snapshot, view: &View) {
    signals(text, &oom.signals, snapshot, view);
    let reclaim = rows(snapshot, view).own(own_of_reclaim);
    table(text, reclaim.left_out(oom.reclaim.left_out()), &oom.reclaim.iter().collect::<Vec<_>>());
    let inside = rows(snapshot, view).own(own_of_inside);
    table(text, inside.left_out(oom.inside.left_out()), &oom.inside.iter().collect::<Vec<_>>());
    table(text, rows(snapshot, view), &oom.limits.iter().filter(|limit| is_close(limit)).collect::<Vec<_>>());
}

fn rows<'a, R: Columns>(snapshot: &Snapshot, view: &'a View) -> Rows<'a, R> {
    Rows::new(view, snapshot.interval)
}

fn table<R: Columns>(text: &mut String, table: Rows<'_, R>, rows: &[&R]) {
    if !rows.is_empty() {
        text.push('\n');
        table.draw(text, rows);
    }
}

fn signals(text: &mut String, signals: &[Signal], snapshot: &Snapshot, view: &View) {
    let all: Vec<&Signal> = signals.iter().collect();
    if all.is_empty() {
        return;
    }
    text.push('\n');
    rows(snapshot, view).own(own).draw_some(text, &all[all.len().saturating_sub(view.top)..], &all);
}

/// It ran into its limit, or will soon.
fn is_close(limit: &Limit) -> bool {
    let close = limit.limit_bytes.is_some_and(|bytes| limit.usage_bytes >= bytes / 10 * 9);
    limit.failures.is_some_and(|count| count > 0) || close
}

/// Columns that only this table can put into words.
pub fn own(row: &Signal, name: &str, _: &Show) -> Noted {
    match name {
        "from" if row.by_oom => "the kernel, out of memory".into(),
        "from" => one(&row.sender).into(),
        "to" => one(&row.target).into(),
        _ => Noted::default(),
    }
}

pub fn own_of_reclaim(row: &Reclaim, name: &str, _: &Show) -> Noted {
    if name == "for" { words(row.kind).into() } else { Noted::default() }
}

pub fn own_of_inside(row: &Inside, name: &str, _: &Show) -> Noted {
    if name == "for" { words(row.kind).into() } else { Noted::default() }
}
