//! Several rows of one interval as one, such as those of a process or of a cgroup.
//!
//! How values of rows become one follows from what their column is, as how those of intervals do ([`Merge`]): what happened adds up, distributions are
//! one, of what is greatest the greatest counts. What is there now adds up where it can be counted; a level, a size or a part of something does not.
//! All else is said where it is the same in all rows; of labels that differ, how many there are.

use std::{any::Any, borrow::Cow, collections::BTreeSet};

use super::{AnyRow, Cell, Column, ColumnKind, Merge};

/// Units of what can be counted, of which two rows have none together.
const COUNTED: [&str; 3] = ["requests", "threads", "processes"];

pub struct Grouped<'a> {
    /// What its rows have in common.
    pub key: String,
    rows: Vec<&'a dyn AnyRow>,
    /// With the sums of all of them; what does not add up is that of the first.
    sum: Box<dyn AnyRow>,
}

/// How the values of two rows of one interval become one.
pub fn how(column: &Column) -> Merge {
    match (column.kind, column.merge) {
        _ if column.shared => Merge::Same,
        (_, Merge::Add | Merge::Max) => column.merge,
        (ColumnKind::Gauge, _) if COUNTED.contains(&column.unit) => Merge::Add,
        _ => Merge::Same,
    }
}

impl<'a> Grouped<'a> {
    /// None: of no row.
    pub fn of(key: String, rows: Vec<&'a dyn AnyRow>) -> Option<Self> {
        let (first, others) = rows.split_first()?;
        let sum = first.sum(others);
        Some(Self { key, rows, sum })
    }

    /// What only the table can put into words is said of what adds up, and not where it may be a part of what does not.
    pub fn has_words(&self, column: usize) -> bool {
        let columns = self.columns();
        let adds_up = columns.get(column).is_some_and(|column| how(column) != Merge::Same);
        let shared = columns.iter().enumerate().filter(|(_, column)| column.shared);
        self.rows.len() == 1 || adds_up && shared.map(|(at, _)| self.at(at)).all(|cell| cell != Cell::None)
    }
}

impl AnyRow for Grouped<'_> {
    fn columns(&self) -> &'static [Column] {
        self.sum.columns()
    }

    fn at(&self, column: usize) -> Cell<'_> {
        match self.columns().get(column) {
            Some(declared) if how(declared) == Merge::Same => {
                same(self.rows.iter().map(|row| row.at(column)).collect(), declared)
            }
            _ => self.sum.at(column),
        }
    }

    fn any(&self) -> &dyn Any {
        self.sum.any()
    }

    fn sum(&self, others: &[&dyn AnyRow]) -> Box<dyn AnyRow> {
        self.sum.sum(others)
    }

    fn group(&self) -> Option<&Grouped<'_>> {
        Some(self)
    }
}

/// What all say; of a row within the row, the parts in which they agree.
fn same<'a>(mut cells: Vec<Cell<'a>>, column: &Column) -> Cell<'a> {
    if cells.iter().all(|cell| *cell == cells[0]) {
        return cells.pop().unwrap_or(Cell::None);
    }
    if let Cell::Row(columns, _) = cells[0]
        && cells.iter().all(|cell| matches!(cell, Cell::Row(..)))
    {
        let part = |(at, column)| same(cells.iter().map(|cell| part(cell, at)).collect(), column);
        return Cell::Row(columns, columns.iter().enumerate().map(part).collect());
    }
    let words: BTreeSet<&str> =
        cells.iter().filter_map(|cell| if let Cell::Text(word) = cell { Some(&**word) } else { None }).collect();
    if words.is_empty() || !column.is_label() {
        return Cell::None;
    }
    let others = cells.iter().any(|cell| !matches!(cell, Cell::Text(_)));
    Cell::Text(Cow::Owned(format!("{} different", words.len() + usize::from(others))))
}

fn part<'a>(cell: &Cell<'a>, at: usize) -> Cell<'a> {
    match cell {
        Cell::Row(_, cells) => cells.get(at).cloned().unwrap_or(Cell::None),
        _ => Cell::None,
    }
}
