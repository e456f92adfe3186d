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
    table::{Align, Bounded, Cell, Column, Columns, Format, Text, Unless},
};

type Own<'a, R> = Box<dyn Fn(&R) -> Noted + 'a>;
type Below<'a, R> = &'a dyn Fn(&R) -> Option<String>;

pub struct Rows<'a, R> {
    view: &'a View,
    interval: Duration,
    heads: Vec<(&'static str, String)>,
    own: Vec<(&'static str, Own<'a, R>)>,
    below: Option<Below<'a, R>>,
    without: Vec<&'static str>,
    grouped: bool,
    left_out: u64,
}

impl<'a, R: Columns> Rows<'a, R> {
    pub fn new(view: &'a View, interval: Duration) -> Self {
        let (heads, own, without) = (Vec::new(), Vec::new(), Vec::new());
        Self { view, interval, heads, own, below: None, without, grouped: false, left_out: 0 }
    }

    /// A head that says more than the declared one.
    pub fn head(mut self, declared: &'static str, head: String) -> Self {
        self.heads.push((declared, head));
        self
    }

    /// The function of a column that is declared as `own`.
    pub fn own<C: Into<Noted>>(mut self, name: &'static str, cell: impl Fn(&R) -> C + 'a) -> Self {
        self.own.push((name, Box::new(move |row| cell(row).into())));
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
        let declared =
            || R::COLUMNS.iter().enumerate().flat_map(|(at, column)| column.text.iter().map(move |it| (at, it)));
        let mut columns: Vec<_> = declared().filter(|(_, text)| text.after.is_empty()).collect();
        for (at, text) in declared().filter(|(_, text)| !text.after.is_empty()) {
            let place = columns.iter().rposition(|(at, _)| name(*at, R::COLUMNS) == text.after);
            columns.insert(place.map_or(columns.len(), |place| place + 1), (at, text));
        }
        columns.retain(|(at, text)| {
            let here = self.view.has(text.room) && self.names(text.format) && !self.without.contains(&text.head);
            here && Self::says(*at, text, all)
        });
        columns
    }

    /// A process and a cgroup are not named in the same table.
    fn names(&self, format: Format) -> bool {
        match format {
            Format::Comm | Format::Pid | Format::Cgroup => !self.grouped,
            Format::Group(_) => self.grouped,
            _ => true,
        }
    }

    /// Whether some row has something to say there.
    fn says(at: usize, text: &Text, all: &[&R]) -> bool {
        match text.unless {
            Unless::Never => true,
            Unless::Unknown => all.iter().any(|row| !row.get(at).is_unknown()),
            Unless::Zero => all.iter().map(|row| row.get(at)).any(|cell| !cell.is_unknown() && !cell.is_nothing()),
            Unless::With(other) => {
                let Some(at) = R::column(other) else { return true };
                R::COLUMNS[at].text.iter().any(|text| Self::says(at, text, all))
            }
        }
    }

    fn with_head(&self, table: Table, text: &Text) -> Table {
        let declared = if self.view.narrow() { text.narrow } else { text.head };
        let more = self.heads.iter().find(|(head, _)| *head == text.head).map(|(_, head)| head.as_str());
        let (head, least) = match text.format {
            Format::Spark(room) => (bar::spark_head(!self.view.has(room)), 0),
            Format::Cgroup => (declared, who::cgroup_width(self.view)),
            Format::Group(_) => (declared, who::group_width(self.view)),
            _ => (more.unwrap_or(declared), text.least),
        };
        match text.align {
            Align::Left => table.left(head, least),
            Align::Right => table.right(head, least),
            Align::Close => table.close(head, least),
        }
    }

    fn cell(&self, row: &R, at: usize, text: &Text) -> Noted {
        if let Format::Own(name) = text.format {
            let own = self.own.iter().find(|(own, _)| *own == name);
            return own.map_or_else(Noted::default, |(_, cell)| cell(row));
        }
        let cell = match row.get(at) {
            Cell::Unknown(_) | Cell::None if !text.or.is_empty() => {
                R::column(text.or).map_or(Cell::None, |at| row.get(at))
            }
            cell => cell,
        };
        match (text.format, &cell) {
            (Format::Spark(room), cell) => {
                let none = Latency::default();
                let latency = if let Cell::Times(latency) = cell { latency } else { &none };
                bar::spark(latency, !self.view.has(room)).into()
            }
            _ => Show { view: self.view, interval: self.interval }.cell(text.format, &cell),
        }
    }
}

fn name(at: usize, columns: &[Column]) -> &'static str {
    columns.get(at).map_or("", |column| column.name)
}
