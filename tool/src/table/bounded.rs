//! Rows of a table that would otherwise be as long as the host is large.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use super::{Cell, Column, Columns, Known, Merge, Placed, Then};

/// Rows kept of a table: more than anybody reads, and as many as names are kept of.
pub const ROWS: usize = 4096;

/// Rows by weight, and what was not kept of them. The latter is no row: whoever goes through rows does not meet it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounded<R> {
    rows: Vec<R>,
    others: Option<Others<R>>,
}

/// Rows of which only the sum is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Others<R> {
    /// How many.
    pub rows: u64,
    /// Its labels are those of one of them.
    sum: R,
}

impl<R: Columns> Bounded<R> {
    /// Leaves the first of many, and of the others those that are `wanted`.
    pub fn bound(&mut self, mut wanted: impl FnMut(&mut R) -> bool) {
        for mut row in self.rows.split_off(self.rows.len().min(ROWS)) {
            if wanted(&mut row) {
                self.rows.push(row);
                continue;
            }
            match &mut self.others {
                Some(Others { rows, sum }) => {
                    *rows += 1;
                    sum.merge(&row);
                }
                None => self.others = Some(Others { rows: 1, sum: row }),
            }
        }
    }
}

impl<R: Columns + Placed> Then for Bounded<R> {
    /// Of the others it is not known which are the same: there were at least as many as in one of the two.
    fn then(&mut self, later: Self) {
        self.rows.then(later.rows);
        match (&mut self.others, later.others) {
            (Some(others), Some(later)) => {
                others.rows = others.rows.max(later.rows);
                others.sum.then(Some(&later.sum));
            }
            (Some(others), None) => others.sum.then(None),
            (none, later) => *none = later,
        }
        self.bound(|_| false);
    }
}

impl<R> Bounded<R> {
    pub fn others(&self) -> Option<&Others<R>> {
        self.others.as_ref()
    }

    /// How many were not kept.
    pub fn left_out(&self) -> u64 {
        self.others.as_ref().map_or(0, |others| others.rows)
    }

    pub fn forget_others(&mut self) {
        self.others = None;
    }
}

impl<R: Columns> Others<R> {
    /// What adds up, and the greatest of what has one; all else is of a single row.
    pub fn sums(&self) -> (Vec<Column>, Vec<Cell<'_>>) {
        let all = R::COLUMNS.iter().cloned().zip(self.sum.cells());
        all.filter(|(column, _)| adds_up(column)).unzip()
    }

    /// The same for every column; none for all else.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        let all = R::COLUMNS.iter().zip(self.sum.cells());
        all.map(|(column, cell)| if adds_up(column) { cell } else { Cell::None }).collect()
    }
}

fn adds_up(column: &Column) -> bool {
    matches!(column.merge, Merge::Add | Merge::Max) && !column.shared
}

impl<R> Default for Bounded<R> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<R> From<Vec<R>> for Bounded<R> {
    fn from(rows: Vec<R>) -> Self {
        Self { rows, others: None }
    }
}

impl<R> From<Vec<R>> for Known<Bounded<R>> {
    fn from(rows: Vec<R>) -> Self {
        Self::Value(rows.into())
    }
}

impl<R> FromIterator<R> for Bounded<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        Vec::from_iter(rows).into()
    }
}

impl<R> Deref for Bounded<R> {
    type Target = Vec<R>;

    fn deref(&self) -> &Vec<R> {
        &self.rows
    }
}

impl<R> DerefMut for Bounded<R> {
    fn deref_mut(&mut self) -> &mut Vec<R> {
        &mut self.rows
    }
}

impl<'a, R> IntoIterator for &'a Bounded<R> {
    type Item = &'a R;
    type IntoIter = std::slice::Iter<'a, R>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<'a, R> IntoIterator for &'a mut Bounded<R> {
    type Item = &'a mut R;
    type IntoIter = std::slice::IterMut<'a, R>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter_mut()
    }
}
