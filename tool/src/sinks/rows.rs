//! Any table as text, as it is declared; what only one table does is handed in.

use std::time::Duration;

use super::{
    View, bar,
    table::{Noted, Table},
    values::Show,
    who,
};
use crate::{
    snapshot::Latency,
    table::{Align, AnyRow, Bounded, Cell, Column, Columns, Format, Text, Unless, column},
};

type Own<'a, R> = Box<dyn Fn(&R, &str, &Show) -> Noted + 'a>;
type Below<'a, R> = &'a dyn Fn(&R) -> Option<String>;

pub struct Rows<'a, R> {
    view: &'a View,
    interval: Duration,
    heads: Vec<(&'static str, String)>,
    own: Option<Own<'a, R>>,
    below: Option<Below<'a, R>>,
    without: Vec<&'static str>,
    grouped: bool,
    left_out: u64,
}

impl<'a, R: Columns> Rows<'a, R> {
    pub fn new(view: &'a View, interval: Duration) -> Self {
        let (heads, without) = (Vec::new(), Vec::new());
        Self { view, interval, heads, own: None, below: None, without, grouped: false, left_out: 0 }
    }

    /// A head that says more than the declared one.
    pub fn head(mut self, declared: &'static str, head: String) -> Self {
        self.heads.push((declared, head));
        self
    }

    /// The words of columns that are declared as `own`, by their names there.
    pub fn own(mut self, own: impl Fn(&R, &str, &Show) -> Noted + 'a) -> Self {
        self.own = Some(Box::new(own));
        self
    }

    /// A line under each row.
    pub fn below(mut self, lines: Below<'a, R>) -> Self {
        self.below = Some(lines);
        self
    }

    /// Columns that this run does not have, by their declared heads.
    pub fn without(mut self, heads: &[&'static str]) -> Self {
        self.without.extend(heads);
        self
    }

    /// Rows are of cgroups, not of processes.
    pub fn grouped(mut self, grouped: bool) -> Self {
        self.grouped = grouped;
        self
    }

    /// How many rows there were besides.
    pub fn left_out(mut self, left_out: u64) -> Self {
        self.left_out = left_out;
        self
    }

    /// As many as `--top` says, from the first.
    pub fn draw_bounded(self, text: &mut String, rows: &Bounded<R>) {
        self.left_out(rows.left_out()).draw(text, &rows.iter().collect::<Vec<_>>());
    }

    /// The same of some.
    pub fn draw(&self, text: &mut String, rows: &[&R]) {
        self.draw_some(text, &rows[..rows.len().min(self.view.top)], rows);
    }

    /// Some of all rows; the rest is counted.
    pub fn draw_some(&self, text: &mut String, shown: &[&R], all: &[&R]) {
        let table = self.table(shown, all);
        table.draw_head(text, self.view);
        table.draw_rows(text, self.view);
        who::more(text, all.len(), self.left_out, self.view);
        table.draw_notes(text, self.view);
    }

    /// For those who have rows of their own to add.
    pub fn table(&self, shown: &[&R], all: &[&R]) -> Table {
        let columns = self.columns(all);
        let mut table = columns.iter().fold(Table::new(), |table, (_, column)| self.with_head(table, column));
        for row in shown {
            table.row(self.line(row, &columns));
            table.below(self.below.and_then(|below| below(row)));
        }
        table
    }

    /// One more row of that table, such as a sum.
    pub fn cells(&self, row: &R, all: &[&R]) -> Vec<Noted> {
        self.line(row, &self.columns(all))
    }

    fn line(&self, row: &R, columns: &[(usize, &'static Text)]) -> Vec<Noted> {
        columns.iter().map(|&(at, column)| self.cell(row, at, column)).collect()
    }

    /// What is shown, each with the number of its column, in order.
    fn columns(&self, all: &[&R]) -> Vec<(usize, &'static Text)> {
        let all: Vec<&dyn AnyRow> = all.iter().map(|row| *row as &dyn AnyRow).collect();
        let mut columns = columns(R::COLUMNS, &all, self.grouped, self.view);
        columns.retain(|(_, text)| !self.without.contains(&text.head));
        columns
    }

    fn with_head(&self, table: Table, text: &Text) -> Table {
        let more = self.heads.iter().find(|(head, _)| *head == text.head).map(|(_, head)| head.as_str());
        let head = more.unwrap_or_else(|| head(text, self.view));
        let least = match text.format {
            Format::Spark(_) => 0,
            Format::Cgroup => who::cgroup_width(self.view),
            Format::Group(_) => who::group_width(self.view),
            _ => text.least,
        };
        match text.align {
            Align::Left => table.left(head, least),
            Align::Right => table.right(head, least),
            Align::Close => table.close(head, least),
        }
    }

    fn cell(&self, row: &R, at: usize, text: &Text) -> Noted {
        let show = Show { view: self.view, interval: self.interval };
        match (text.format, &self.own) {
            (Format::Own(name), Some(own)) => own(row, name, &show),
            _ => cell(row, at, text, &show),
        }
    }
}

/// As declared for that width.
pub fn head(text: &Text, view: &View) -> &'static str {
    match text.format {
        Format::Spark(room) => bar::spark_head(!view.has(room)),
        _ if view.narrow() => text.narrow,
        _ => text.head,
    }
}

/// What is shown of rows of one table, each with the number of its column, in order.
pub fn columns(
    declared: &'static [Column],
    rows: &[&dyn AnyRow],
    grouped: bool,
    view: &View,
) -> Vec<(usize, &'static Text)> {
    let texts = || declared.iter().enumerate().flat_map(|(at, column)| column.text.iter().map(move |it| (at, it)));
    let mut columns: Vec<_> = texts().filter(|(_, text)| text.after.is_empty()).collect();
    for (at, text) in texts().filter(|(_, text)| !text.after.is_empty()) {
        let place = columns.iter().rposition(|(at, _)| name(*at, declared) == text.after);
        columns.insert(place.map_or(columns.len(), |place| place + 1), (at, text));
    }
    columns.retain(|(at, text)| view.has(text.room) && names(text.format, grouped) && says(*at, text, declared, rows));
    columns
}

/// A process and a cgroup are not named in the same table.
fn names(format: Format, grouped: bool) -> bool {
    match format {
        Format::Comm | Format::Pid | Format::Cgroup => !grouped,
        Format::Group(_) => grouped,
        _ => true,
    }
}

/// Whether some row has something to say there.
fn says(at: usize, text: &Text, declared: &[Column], rows: &[&dyn AnyRow]) -> bool {
    match text.unless {
        Unless::Never => true,
        Unless::Unknown => rows.iter().any(|row| !row.at(at).is_unknown()),
        Unless::Zero => rows.iter().map(|row| row.at(at)).any(|cell| !cell.is_unknown() && !cell.is_nothing()),
        Unless::With(other) => {
            let Some(at) = column(declared, other) else { return true };
            declared[at].text.iter().any(|text| says(at, text, declared, rows))
        }
    }
}

/// What a row says there, or in the column that stands in for it.
pub fn value<'a>(row: &'a dyn AnyRow, at: usize, text: &Text) -> Cell<'a> {
    match row.at(at) {
        Cell::Unknown(_) | Cell::None if !text.or.is_empty() => {
            column(row.columns(), text.or).map_or(Cell::None, |at| row.at(at))
        }
        cell => cell,
    }
}

/// In words. What the sink of a table has a function for is a dash.
pub fn cell(row: &dyn AnyRow, at: usize, text: &Text, show: &Show) -> Noted {
    match (text.format, &value(row, at, text)) {
        (Format::Spark(room), cell) => {
            let none = Latency::default();
            let latency = if let Cell::Times(latency) = cell { latency } else { &none };
            bar::spark(latency, !show.view.has(room)).into()
        }
        (_, cell) => show.cell(text.format, cell),
    }
}

fn name(at: usize, columns: &[Column]) -> &'static str {
    columns.get(at).map_or("", |column| column.name)
}
