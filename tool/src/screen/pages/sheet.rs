//! A table of a snapshot as lines: any of them, from its declaration alone.

use unicode_width::UnicodeWidthStr;

use super::{
    RowId, groups,
    lines::{Item, PageLine, Role, fit_printable, padded},
    tables::{AnyTable, value},
};
use crate::{
    cli::plan::By,
    escape::escape,
    screen::state::settings::{Look, Settings},
    sinks::{View, rows},
    table::{Align, AnyRow, Format, Text, labels},
};

/// A column that is shown: its number, how, and how wide.
struct Shown {
    at: usize,
    text: &'static Text,
    head: &'static str,
    right: bool,
    width: usize,
}

/// The words of the last column go on to the end of the line if so much is left.
const BESIDE: usize = 16;
const GAP: &str = "  ";

/// Heads that could be shown, in order: what is sorted by, and chosen.
pub fn heads(table: &AnyTable, view: &View) -> Vec<(usize, &'static Text)> {
    rows::columns(table.columns, &table.rows, table.grouped, view)
}

/// The table with its head; of its rows as many as are asked for, and in any case the one that is selected.
pub fn lines(
    table: &AnyTable,
    settings: &Settings,
    selected: Option<&RowId>,
    most: usize,
    view: &View,
) -> Vec<PageLine> {
    let look = settings.look(table.name);
    let mut lines = Vec::new();
    groups::with(table, look.by, &settings.filter, &mut |kept| lines = rows_of(kept, &look, selected, most, view));
    if !table.rows.is_empty() && lines.iter().all(|line| line.item.is_none()) {
        lines.push(PageLine::dim(format!("none of {} is as the filter says", table.rows.len())));
    }
    lines
}

fn rows_of(table: &AnyTable, look: &Look, selected: Option<&RowId>, most: usize, view: &View) -> Vec<PageLine> {
    let order = ordered(table, look);
    let selected = selected.filter(|row| row.table == table.name && row.by == look.by);
    let mut shown: Vec<usize> = order.iter().copied().take(most).collect();
    if let Some(row) = selected
        && !shown.iter().any(|&at| labels(table.rows[at]) == row.labels)
        && let Some(&at) = order.iter().skip(most).find(|&&at| labels(table.rows[at]) == row.labels)
    {
        shown.push(at);
    }
    let (columns, cells, left) = laid_out(table, &shown, look, view);
    let mut lines = vec![head(&columns, look, left, view.limit)];
    for (&at, cells) in shown.iter().zip(&cells) {
        let row = table.rows[at];
        let id = RowId { table: table.name, by: look.by, labels: labels(row), name: name(table, row) };
        lines.push(PageLine::plain(joined(&columns, cells)).on(Item::Row(id)));
    }
    let more = (order.len() - shown.len()) as u64 + table.left_out;
    if more > 0 {
        lines.push(PageLine::dim(format!("{more} more{}", if order.len() > shown.len() { " (+ shows)" } else { "" })));
    }
    lines
}

/// Numbers of rows, sorted as asked for.
fn ordered(table: &AnyTable, look: &Look) -> Vec<usize> {
    let mut order: Vec<usize> = (0..table.rows.len()).collect();
    if let Some(sort) = &look.sort
        && let Some((at, text)) = table.texts().find(|(_, text)| text.head == sort.head)
    {
        order.sort_by_cached_key(|&row| value(&rows::value(table.rows[row], at, text), text.format));
        if sort.falling {
            order.reverse();
        }
    }
    order
}

/// Columns with their widths, the cells of each row, and how many columns had no room.
fn laid_out(table: &AnyTable, shown: &[usize], look: &Look, view: &View) -> (Vec<Shown>, Vec<Vec<String>>, usize) {
    let mut columns: Vec<Shown> = heads(table, view)
        .into_iter()
        .filter(|(_, text)| !look.hidden.contains(text.head))
        .map(|(at, text)| {
            let head = rows::head(text, view);
            Shown { at, text, right: text.align != Align::Left, width: head.width(), head }
        })
        .collect();
    let cell = |row: &dyn AnyRow, column: &Shown| table.cell(row, column.at, column.text, view);
    let mut cells: Vec<Vec<String>> =
        shown.iter().map(|&row| columns.iter().map(|column| cell(table.rows[row], column)).collect()).collect();
    for (at, column) in columns.iter_mut().enumerate() {
        let widest = cells.iter().map(|row| row[at].width()).max().unwrap_or(0);
        column.width = column.width.max(column.text.least).max(widest).min(most(column.text.format, view));
    }
    let all = columns.len();
    // Numbers make room for words behind them, which say whose they are.
    while needed(&columns) > view.limit
        && let Some(words) = columns.iter().rposition(|column| !column.right)
        && let Some(at) = columns[..words].iter().rposition(|column| column.right).filter(|at| *at > 0)
    {
        columns.remove(at);
        cells.iter_mut().for_each(|row| _ = row.remove(at));
    }
    // Whole columns are left out where there is no room, words go on to the end of the line.
    let (mut used, mut fit) = (0, 0);
    for (at, column) in columns.iter_mut().enumerate() {
        let gap = if at == 0 { 0 } else { GAP.len() };
        let room = view.limit.saturating_sub(used + gap);
        if column.width > room {
            if at > 0 && (column.right || room < BESIDE.max(column.head.width())) {
                break;
            }
            column.width = room;
        }
        used += gap + column.width;
        fit += 1;
    }
    columns.truncate(fit);
    cells.iter_mut().for_each(|row| row.truncate(fit));
    (columns, cells, all - fit)
}

/// Columns of the screen, if the last words go on as far as there is room.
fn needed(columns: &[Shown]) -> usize {
    let width = |(at, column): (usize, &Shown)| match at + 1 == columns.len() && !column.right {
        true => column.width.min(BESIDE.max(column.head.width())),
        false => column.width + GAP.len(),
    };
    columns.iter().enumerate().map(width).sum()
}

/// Names may be long; reasons go on.
fn most(format: Format, view: &View) -> usize {
    match format {
        Format::Cgroup | Format::Group(_) if view.narrow() => 24,
        Format::Cgroup | Format::Group(_) => 40,
        _ => usize::MAX,
    }
}

fn head(columns: &[Shown], look: &Look, left: usize, width: usize) -> PageLine {
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    let mut line = PageLine::head(joined(columns, &heads));
    if let Some(by) = look.by {
        let whose = if by == By::Process { "process" } else { "cgroup" };
        line = line.and(Role::Dim, format!("{GAP}a line per {whose}"));
    }
    if let Some(sort) = &look.sort {
        let way = if sort.falling { "most first" } else { "least first" };
        line = line.and(Role::Dim, format!("{GAP}by {}, {way}", sort.head));
    }
    let more = format!("{GAP}+{left} in the row");
    if left > 0 && line.text().width() + more.width() <= width {
        line = line.and(Role::Dim, more);
    }
    line
}

fn joined(columns: &[Shown], cells: &[String]) -> String {
    let cells = columns.iter().zip(cells).map(|(column, cell)| padded(cell, column.width, column.right));
    cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
}

/// Of a row, for the breadcrumb: its first words, or the path of the cgroup that it stands for.
pub fn name(table: &AnyTable, row: &dyn AnyRow) -> String {
    if let Some(group) = row.group().filter(|group| group.key.starts_with('/')) {
        return fit_printable(&escape(&group.key), 40);
    }
    let view = View { width: usize::MAX, limit: usize::MAX, ..table.view.clone() };
    let words = table.texts().filter(|(at, _)| table.columns[*at].is_label());
    let words = words.map(|(at, text)| table.cell(row, at, text, &view)).filter(|word| word != "–");
    let name = words.take(2).collect::<Vec<_>>().join(" ");
    if name.is_empty() { table.name.to_owned() } else { fit_printable(&name, 40) }
}
