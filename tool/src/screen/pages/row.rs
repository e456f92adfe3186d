//! One row: every column, how it was in the last minutes, and distributions in full.

use unicode_width::UnicodeWidthStr;

use super::{
    RowId, groups,
    lines::{Item, PageLine, Role, padded, wrapped},
    probe::separate,
    sheet,
    tables::{self, AnyTable, number, pids, words},
};
use crate::{
    screen::state::Machine,
    sinks::{bar, hist},
    snapshot::Snapshot,
    table::{AnyRow, Cell, Column, Format},
};

/// Columns of names.
const NAME: usize = 18;

pub fn lines(of: &Machine, snapshot: &Snapshot, wanted: &RowId) -> Vec<PageLine> {
    let mut lines = vec![PageLine::of(Role::Strong, wanted.name.clone())];
    let mut found = false;
    tables::each(snapshot, &of.view, &mut |table| {
        if table.name != wanted.table {
            return;
        }
        lines[0] = PageLine::of(Role::Strong, wanted.name.clone()).and(Role::Dim, format!("  {}", table.meaning));
        groups::find(table, wanted, &of.settings.filter, &mut |table, row| {
            found = true;
            whole(&mut lines, of, table, row);
        });
    });
    if !found {
        lines.push(PageLine::dim("it is not in this interval"));
    }
    lines
}

fn whole(lines: &mut Vec<PageLine>, of: &Machine, table: &AnyTable, row: &dyn AnyRow) {
    lines[0].parts[0].1 = sheet::name(table, row);
    lines.push(PageLine::empty());
    columns(lines, of, table, row);
    for (pid, name) in pids(row) {
        lines.push(PageLine::plain(format!("{:<NAME$}", "process")).and(Role::Strong, name).on(Item::Process(pid)));
    }
    for (at, column) in table.columns.iter().enumerate() {
        if let Cell::Times(latency) = row.at(at)
            && latency.count > 0
        {
            separate(lines);
            let head = format!("{}: {}", said(column, table.columns), column.meaning);
            lines.extend(wrapped(Role::Head, &head, usize::from(of.size.0), 2));
            let mut text = String::new();
            hist::lines(&mut text, &latency, &of.plain());
            lines.extend(text.lines().map(PageLine::plain));
        }
    }
}

fn columns(lines: &mut Vec<PageLine>, of: &Machine, table: &AnyTable, row: &dyn AnyRow) {
    let width = usize::from(of.size.0);
    let values: Vec<String> =
        table.columns.iter().enumerate().map(|(at, column)| words(&row.at(at), column, &of.view)).collect();
    let history = width >= 60;
    // Lines of the past begin below each other, where values are short.
    let beside = values.iter().map(|value| NAME + value.width()).filter(|wide| *wide < width / 2).max().unwrap_or(NAME);
    for ((at, column), value) in table.columns.iter().enumerate().zip(values) {
        let internal = column.json.hidden && column.text.is_empty();
        if internal || row.at(at).is_nothing() && column.is_label() {
            continue;
        }
        let numeric = !column.is_label() && number(&row.at(at), Format::Count).is_some();
        let past = if history && numeric { of.history(at) } else { Vec::new() };
        let text = format!("{:<NAME$}{value}", said(column, table.columns));
        if past.len() < 2 {
            lines.extend(wrapped(Role::Plain, &text, width, NAME));
            continue;
        }
        let most = past.iter().flatten().copied().fold(0.0, f64::max);
        let line = bar::line(&past, most, past.len());
        lines.push(PageLine::plain(padded(&text, beside.max(text.width()), false)).and(Role::Dim, format!(" {line}")));
    }
}

/// `oldest` of `oldest_ns`: its value has a unit.
fn said(column: &Column, columns: &[Column]) -> String {
    let name = column.name.strip_suffix("_ns").or_else(|| column.name.strip_suffix("_bytes"));
    // Not where another column is called so.
    let name = name.filter(|name| crate::table::column(columns, name).is_none()).unwrap_or(column.name);
    name.replace('_', " ")
}
