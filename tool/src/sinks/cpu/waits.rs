//! Who waited, and who waits now.

use super::{cells, times};
use crate::{
    cli::plan::By,
    escape::fit,
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::{COMM, cgroup, cgroup_width, more, who, who_cells, why},
    },
    snapshot::{Snapshot, Who, cpu::Cpu},
};

/// Waits over the threshold.
pub fn waited(text: &mut String, cpu: &Cpu, view: &View) {
    if cpu.no_waits.is_some() {
        return;
    }
    let over = format::duration(u64::try_from(view.slow_waits.as_nanos()).unwrap_or(u64::MAX));
    if cpu.waited.is_empty() {
        *text += &format!("no wait over {over}{}\n", of_these(view));
        return;
    }
    let mut table = who(Table::new(), format!("WAITED >{over}"), view).right("WAITS", 5).close("TOTAL", 5);
    table = table.close("MAX", 5).right("CPU", 4).left("BEHIND", 0).left("", 0);
    for row in cpu.waited.iter().take(view.top) {
        let mut cells = who_cells(&row.who, view);
        cells.extend([format::count(row.waits), format::duration(row.total_ns), format::duration(row.max_ns)]);
        cells.extend([row.cpu.to_string(), row.behind.as_ref().map_or_else(|| "idle".to_owned(), one)]);
        cells.push(why(&row.who).unwrap_or_default());
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, cpu.waited.len(), view);
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
pub fn waiting(text: &mut String, cpu: &Cpu, view: &View) {
    if cpu.no_waits.is_some() || cpu.no_walk.is_some() {
        return;
    }
    if cpu.waiting.is_empty() {
        *text += &format!("no task{} waits now\n", of_these(view));
        return;
    }
    let mut table = who(Table::new(), "WAITING NOW".into(), view).right("TID", 7).right("CPU", 4).right("AGE", 5);
    table = table.left("", 0);
    for row in cpu.waiting.iter().take(view.top) {
        let mut cells = who_cells(&row.who, view);
        cells.extend([row.tid.to_string(), row.cpu.to_string(), format::duration(row.age_ns)]);
        cells.push(why(&row.who).unwrap_or_default());
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, cpu.waiting.len(), view);
}

/// The full breakdown, where asked for.
pub fn by(text: &mut String, cpu: &Cpu, snapshot: &Snapshot, view: &View) {
    let (Some(rows), Some(by)) = (&cpu.by, view.by) else { return };
    if rows.is_empty() {
        *text += &format!("no wait{} in this interval\n", of_these(view));
        return;
    }
    let table = match by {
        By::Process => who(Table::new(), "BY PROCESS".into(), view),
        By::Cgroup => Table::new().left("BY CGROUP", COMM + 9 + 2 + cgroup_width(view)),
    };
    let mut table = times(table.right("WAITS/s", 7), view).left("", 0);
    for row in rows.iter().take(view.top) {
        let mut head = match by {
            By::Process => who_cells(&row.who, view),
            By::Cgroup => vec![cgroup(&row.who, UNKNOWN, COMM + 9 + 2 + cgroup_width(view))],
        };
        head.push(format::rate(row.latency.count, snapshot.interval));
        let mut cells = cells(head, &row.latency, snapshot, view);
        cells.push(why(&row.who).unwrap_or_default());
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}
