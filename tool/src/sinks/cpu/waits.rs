//! Who waited, and who waits now.

use crate::{
    cli::plan::By,
    escape::fit,
    sinks::{View, format, rows::Rows, table::Noted, values::Show, who::COMM},
    snapshot::{
        Snapshot, Who,
        cpu::{Cpu, Waited},
    },
    table::{Known, Why},
};

/// Waits over the threshold.
pub fn waited(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    if !cpu.scheduler.waits.is_known() {
        return;
    }
    let over = format::duration(u64::try_from(view.slow_waits.as_nanos()).unwrap_or(u64::MAX));
    if cpu.waited.is_empty() {
        *text += &format!("no wait over {over}{}\n", of_these(view));
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .head("WAITED", format!("WAITED >{over}"))
        .own(own)
        .draw_bounded(text, &cpu.waited);
}

/// Columns that only this table can put into words.
pub fn own(row: &Waited, name: &str, _: &Show) -> Noted {
    match (name, &row.behind) {
        ("behind", Known::Value(Some(who))) => one(who).into(),
        ("behind", Known::Value(None)) => "idle".into(),
        ("behind", Known::Not(_)) => format::UNKNOWN.into(),
        _ => Noted::default(),
    }
}

fn one(who: &Who) -> String {
    let comm = who.comm.as_ref().map_or_else(|| "unknown".to_owned(), |comm| fit(comm, COMM));
    who.pid.map_or_else(|| comm.clone(), |pid| format!("{comm} {pid}"))
}

/// An empty table of some must not read as "nobody".
fn of_these(view: &View) -> &'static str {
    if view.whose { " of such a process" } else { "" }
}

/// At the moment of the tick.
pub fn waiting(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let rows = match &cpu.waiting {
        Known::Value(rows) if cpu.scheduler.waits.is_known() => rows,
        Known::Not(why @ Why::NotLookedAt(_)) => {
            *text += &format!("who waits now is not known ({why})\n");
            return;
        }
        _ => return,
    };
    if rows.is_empty() {
        *text += &format!("no task{} waits now\n", of_these(view));
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).draw_bounded(text, rows);
}

/// The full breakdown, where asked for.
pub fn by(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let (Some(rows), Some(by)) = (&cpu.by, view.by) else { return };
    if rows.is_empty() {
        *text += &format!("no wait{} in this interval\n", of_these(view));
        return;
    }
    text.push('\n');
    Rows::new(view, snapshot.interval).grouped(by == By::Cgroup).draw_bounded(text, rows);
}
