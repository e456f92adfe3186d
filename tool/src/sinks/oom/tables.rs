//! Who waits for memory, who is at a limit, who is killed by others.

use super::{one, words};
use crate::{
    escape::fit,
    sinks::{
        View,
        format::{self, UNKNOWN, bytes},
        table::Table,
        who::{cgroup_width, more, who, who_cells, why},
    },
    snapshot::oom::Oom,
};

pub fn reclaim(text: &mut String, oom: &Oom, view: &View) {
    if oom.reclaim.is_empty() {
        return;
    }
    let mut table = who(Table::new(), "WAITED".to_owned(), view).right("WAITS", 5).right("TOTAL", 5);
    table = table.close("p99", 5).close("MAX", 5).left("FOR", 0);
    for row in oom.reclaim.iter().take(view.top) {
        let mut cells = who_cells(&row.who, view);
        let latency = &row.latency;
        let reason =
            [Some(words(row.kind).to_owned()), why(&row.who)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        cells.extend([
            format::count(latency.count),
            format::duration(latency.total_ns),
            format::duration(latency.p99_ns),
            format::duration(latency.max_ns),
            reason,
        ]);
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, oom.reclaim.len(), view);
}

pub fn inside(text: &mut String, oom: &Oom, view: &View) {
    if oom.inside.is_empty() {
        return;
    }
    let mut table = who(Table::new(), "WAITS NOW".to_owned(), view).right("TID", 7).right("SINCE", 5).left("FOR", 0);
    for task in oom.inside.iter().take(view.top) {
        let mut cells = who_cells(&task.who, view);
        let reason =
            [Some(words(task.kind).to_owned()), why(&task.who)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        cells.extend([task.tid.to_string(), format::duration(task.age.as_nanos() as u64), reason]);
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, oom.inside.len(), view);
}

/// Those that ran into their limit, or are close to it.
pub fn limits(text: &mut String, oom: &Oom, view: &View) {
    let close = |usage: u64, limit: Option<u64>| limit.is_some_and(|limit| usage >= limit / 10 * 9);
    let rows: Vec<_> = oom
        .limits
        .iter()
        .filter(|limit| limit.failures.is_some_and(|count| count > 0) || close(limit.usage_bytes, limit.limit_bytes))
        .collect();
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new().left("CGROUP AT ITS LIMIT", cgroup_width(view)).right("USED", 8).right("LIMIT", 8);
    table = table.right("RAN INTO IT", 11);
    for limit in rows.iter().take(view.top) {
        table.row(vec![
            limit.cgroup.as_ref().map_or_else(|| UNKNOWN.to_owned(), |path| fit(path, 60)),
            bytes(limit.usage_bytes),
            limit.limit_bytes.map_or_else(|| UNKNOWN.to_owned(), bytes),
            limit.failures.map_or_else(|| UNKNOWN.to_owned(), format::count),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, rows.len(), view);
}

pub fn signals(text: &mut String, oom: &Oom, view: &View) {
    if oom.signals.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("SIGKILL TO", 0).left("FROM", 0);
    let from = oom.signals.len().saturating_sub(view.top);
    for signal in &oom.signals[from..] {
        let by = if signal.by_oom { "the kernel, out of memory".to_owned() } else { one(&signal.sender) };
        table.row(vec![
            signal.at.to_zoned(view.zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
            one(&signal.target),
            by,
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, oom.signals.len(), view);
}
