//! All tables of a snapshot, whatever their rows are.

use std::{cmp::Ordering, convert::Infallible, time::Duration};

use crate::{
    cli::plan::By,
    escape::escape,
    format,
    sinks::{self, View, rows, values::Show},
    snapshot::{
        Snapshot, Who,
        tables::{self, EachTable, Of},
    },
    table::{AnyRow, Cell, Column, ColumnKind, Columns, Format, Quantile, Tabular, Text, Why},
};

pub struct AnyTable<'a> {
    pub name: &'static str,
    pub meaning: &'static str,
    pub columns: &'static [Column],
    pub rows: Vec<&'a dyn AnyRow>,
    /// Why there is no table.
    pub why: Option<&'a Why>,
    /// Rows that were not kept.
    pub left_out: u64,
    pub interval: Duration,
    pub view: &'a View,
    /// Its rows are of cgroups.
    pub grouped: bool,
}

impl AnyTable<'_> {
    pub fn probe(&self) -> &'static str {
        probe_of(self.name)
    }

    pub fn texts(&self) -> impl Iterator<Item = (usize, &'static Text)> {
        let columns = self.columns;
        columns.iter().enumerate().flat_map(|(at, column)| column.text.iter().map(move |text| (at, text)))
    }

    /// In the words of the table's sink where it has some, or as declared.
    pub fn cell(&self, row: &dyn AnyRow, at: usize, text: &Text, view: &View) -> String {
        let show = Show { view, interval: self.interval };
        match text.format {
            // What a group is a part of, only its rows say.
            Format::Own(_) if row.group().is_some_and(|group| !group.has_words(at)) => match &row.at(at) {
                Cell::Count(_) => format::UNKNOWN.to_owned(),
                cell => words(cell, &self.columns[at], view),
            },
            Format::Own(name) => match sinks::own(row.any(), name, &show) {
                Some(noted) => noted.into_text(),
                None => words(&row.at(at), &self.columns[at], view),
            },
            _ => rows::cell(row, at, text, &show).into_text(),
        }
    }
}

/// `io` of `io.devices`.
pub fn probe_of(table: &'static str) -> &'static str {
    table.split('.').next().unwrap_or(table)
}

/// Does something with each table of a snapshot.
pub fn each(snapshot: &Snapshot, view: &View, with: &mut dyn FnMut(&AnyTable)) {
    struct Visit<'a>(&'a Snapshot, &'a View, &'a mut dyn FnMut(&AnyTable));

    impl EachTable for Visit<'_> {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<(), Infallible> {
            let Some(table) = of(self.0) else { return Ok(()) };
            (self.2)(&AnyTable {
                name: T::Row::NAME,
                meaning: T::Row::MEANING,
                columns: T::Row::COLUMNS,
                rows: table.rows().iter().map(|row| row as &dyn AnyRow).collect(),
                why: table.why(),
                left_out: table.others().map_or(0, |others| others.rows),
                interval: self.0.interval,
                view: self.1,
                grouped: is_grouped(T::Row::COLUMNS, self.1),
            });
            Ok(())
        }
    }

    let Ok(()) = tables::each(&mut Visit(snapshot, view, with));
}

/// Where rows can be of processes, that is as was asked for.
fn is_grouped(columns: &[Column], view: &View) -> bool {
    let has = |is: fn(&Format) -> bool| columns.iter().flat_map(|column| column.text).any(|text| is(&text.format));
    let (groups, processes) = (has(|it| matches!(it, Format::Group(_))), has(|it| *it == Format::Comm));
    groups && (!processes || view.by == Some(By::Cgroup))
}

/// Processes that a row is about.
pub fn pids(row: &dyn AnyRow) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    (0..row.columns().len()).for_each(|at| people(&row.at(at), &mut found));
    found.into_iter().filter_map(|who: Who| Some((who.pid?, format::name(&who)))).collect()
}

pub fn people(cell: &Cell<'_>, found: &mut Vec<Who>) {
    match cell {
        Cell::Row(columns, cells) if *columns == Who::COLUMNS => {
            let who = sinks::values::process(columns, cells);
            if !found.iter().any(|known| known.pid == who.pid) {
                found.push(who);
            }
        }
        Cell::Row(_, cells) | Cell::List(cells) => cells.iter().for_each(|cell| people(cell, found)),
        _ => {}
    }
}

/// What rows are sorted by: what is not known is less than everything.
#[derive(Clone, Debug, PartialEq)]
pub enum Sorted {
    Nothing,
    Number(f64),
    Word(String),
}

impl Eq for Sorted {}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Word(a), Self::Word(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Sorted {
    fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Number(_) => 1,
            Self::Word(_) => 2,
        }
    }
}

pub fn value(cell: &Cell<'_>, format: Format) -> Sorted {
    match cell {
        Cell::Text(text) => Sorted::Word(text.clone().into_owned()),
        Cell::Row(columns, cells) => {
            let who = sinks::values::process(columns, cells);
            match (format, who.pid, who.comm) {
                (Format::Pid, Some(pid), _) => Sorted::Number(pid.into()),
                (Format::Cgroup | Format::Group(_), ..) => who.cgroup.map_or(Sorted::Nothing, Sorted::Word),
                (_, _, Some(comm)) => Sorted::Word(comm),
                _ => Sorted::Nothing,
            }
        }
        cell => number(cell, format).map_or(Sorted::Nothing, Sorted::Number),
    }
}

/// As a value over time.
pub fn number(cell: &Cell<'_>, format: Format) -> Option<f64> {
    Some(match cell {
        Cell::Count(count) => *count as f64,
        Cell::Signed(number) => *number as f64,
        Cell::Real(number) => *number,
        Cell::Flag(flag) => f64::from(u8::from(*flag)),
        Cell::At(at) => at.as_nanosecond() as f64,
        Cell::Named(counts) => counts.iter().map(|(_, count)| *count).sum::<u64>() as f64,
        Cell::Times(latency) => match format {
            Format::Count | Format::Rate | Format::Spark(_) => latency.count as f64,
            Format::Quantile(quantile) => match quantile {
                Quantile::P50 => latency.p50_ns as f64,
                Quantile::P90 => latency.p90_ns as f64,
                Quantile::P99 => latency.p99_ns as f64,
                Quantile::P999 => latency.p999_ns as f64,
                Quantile::Max => latency.max_ns as f64,
            },
            _ => latency.total_ns as f64,
        },
        _ => return None,
    })
}

/// Any cell in words, by its unit alone.
pub fn words(cell: &Cell<'_>, column: &Column, view: &View) -> String {
    match cell {
        Cell::None => format::UNKNOWN.to_owned(),
        Cell::Unknown(why) => format!("not known: {}", escape(&why.to_string())),
        Cell::Flag(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Cell::Count(count) => match column.unit {
            "ns" => format::duration(*count),
            "us" => format::duration(count.saturating_mul(1000)),
            "bytes" => format::bytes(*count),
            _ if column.kind == ColumnKind::Label => count.to_string(),
            _ => format::count(*count),
        },
        Cell::Signed(number) => number.to_string(),
        Cell::Real(share) if column.unit == "of 1" => format::percent(share * 100.0),
        Cell::Real(number) if column.unit == "percent" => format::fine_percent(*number),
        Cell::Real(number) => format!("{number:.2}"),
        Cell::Text(text) => escape(text).into_owned(),
        Cell::At(at) => sinks::values::clock(*at, view),
        Cell::Times(latency) => format!(
            "{} times, p50 {}, p99 {}, at most {}",
            format::count(latency.count),
            format::duration(latency.p50_ns),
            format::duration(latency.p99_ns),
            format::duration(latency.max_ns)
        ),
        Cell::Named(counts) => {
            let counts = counts.iter().map(|(name, count)| {
                let count = if column.unit == "ns" { format::duration(*count) } else { format::count(*count) };
                format!("{} {count}", escape(name))
            });
            counts.collect::<Vec<_>>().join(", ")
        }
        Cell::List(cells) => cells.iter().map(|cell| words(cell, column, view)).collect::<Vec<_>>().join(", "),
        Cell::Row(columns, cells) if *columns == Who::COLUMNS => format::name(&sinks::values::process(columns, cells)),
        Cell::Row(columns, cells) => {
            let parts = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_nothing());
            let parts = parts.map(|(column, cell)| match cell {
                Cell::Row(..) | Cell::List(_) => words(cell, column, view),
                _ => format!("{} {}", column.name.replace('_', " "), words(cell, column, view)),
            });
            parts.collect::<Vec<_>>().join(", ")
        }
    }
}
