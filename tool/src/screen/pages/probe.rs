//! A probe: what it says in words, and all its tables.

use super::{
    finding,
    lines::{PageLine, Role, wrapped},
    sheet, tables,
};
use crate::{escape::escape, screen::state::Machine, sinks::overview::rows, snapshot::Snapshot};

pub fn lines(of: &Machine, snapshot: &Snapshot, probe: &str) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let mut lines = Vec::new();
    if let Some(why) = snapshot.unavailable(probe) {
        lines.extend(wrapped(Role::Plain, &format!("{probe} is unavailable: {}", escape(why)), width, 2));
    }
    for row in rows::of(snapshot, probe).into_iter().flat_map(|(_, rows)| rows) {
        lines.extend(wrapped(Role::Plain, &row, width, 2));
    }
    tables::each(snapshot, &of.view, &mut |table| {
        if table.probe() != probe || table.texts().next().is_none() {
            return;
        }
        if let Some(why) = table.why {
            separate(&mut lines);
            lines.extend(wrapped(Role::Dim, &format!("{}: {}", title(table.name), escape(&why.to_string())), width, 2));
        } else if !table.rows.is_empty() {
            separate(&mut lines);
            lines.extend(sheet::lines(table, &of.settings, of.selected_row(), of.settings.top, &of.view));
        }
    });
    for kill in snapshot.oom.iter().flat_map(|oom| &oom.kills).filter(|_| probe == "oom") {
        separate(&mut lines);
        finding::kill(&mut lines, of, kill);
    }
    if lines.is_empty() {
        lines.push(PageLine::dim(format!("{probe} saw nothing in this interval")));
    }
    lines
}

pub fn separate(lines: &mut Vec<PageLine>) {
    if !lines.is_empty() {
        lines.push(PageLine::empty());
    }
}

/// `caused by` of `io.caused_by`.
pub fn title(table: &str) -> String {
    table.split_once('.').map_or(table, |(_, name)| name).replace('_', " ")
}
