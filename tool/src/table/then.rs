//! A table of an interval, and the same of the interval after it, as one.

use std::collections::HashMap;

use super::{AnyRow, Cell, Columns, Known};

/// What goes on in the interval after it.
pub trait Then {
    fn then(&mut self, later: Self);
}

/// A row that has its place in its table.
pub trait Placed {
    fn place(&self) -> impl Ord;
}

/// The order of a table: what is less comes first.
macro_rules! placed {
    ($($type:ty: $row:ident => $place:expr;)*) => {
        $(impl $crate::table::Placed for $type {
            fn place(&self) -> impl Ord {
                let $row = self;
                $place
            }
        })*
    };
}
pub(crate) use placed;

pub fn in_order<R: Placed>(rows: &mut [R]) {
    rows.sort_by(|a, b| a.place().cmp(&b.place()));
}

impl<R: Columns + Placed> Then for Vec<R> {
    /// Two rows of one interval stay two, whatever they are told apart by.
    fn then(&mut self, later: Self) {
        let mut ended: HashMap<String, Vec<usize>> = HashMap::new();
        self.iter().enumerate().rev().for_each(|(at, row)| ended.entry(labels(row)).or_default().push(at));
        for row in later {
            match ended.get_mut(&labels(&row)).and_then(Vec::pop) {
                Some(at) => self[at].then(Some(&row)),
                None => self.push(row),
            }
        }
        ended.into_values().flatten().for_each(|at| self[at].then(None));
        in_order(self);
    }
}

/// What was not measured in one of the two is as it was in the other.
impl<T: Then> Then for Known<T> {
    fn then(&mut self, later: Self) {
        match (self, later) {
            (Self::Value(table), Self::Value(later)) => table.then(later),
            (Self::Value(_), Self::Not(_)) => {}
            (none, later) => *none = later,
        }
    }
}

impl<T: Then> Then for Option<T> {
    fn then(&mut self, later: Self) {
        match (self, later) {
            (Some(table), Some(later)) => table.then(later),
            (Some(_), None) => {}
            (none, later) => *none = later,
        }
    }
}

/// What tells a row apart from all others of its table.
pub fn labels(row: &dyn AnyRow) -> String {
    if let Some(group) = row.group() {
        return group.key.clone();
    }
    let mut text = String::new();
    for (at, _) in row.columns().iter().enumerate().filter(|(_, column)| column.is_label()) {
        label(&mut text, &row.at(at));
        text.push('\u{1f}');
    }
    text
}

fn label(text: &mut String, cell: &Cell<'_>) {
    match cell {
        Cell::Count(count) => *text += &count.to_string(),
        Cell::Text(word) => *text += word,
        Cell::At(at) => *text += &at.to_string(),
        // The name of a process changes, its number does not.
        Cell::Row(columns, cells) => {
            let pid = columns.iter().zip(cells).find(|(column, _)| column.name == "pid");
            match pid {
                Some((_, Cell::Count(pid))) => *text += &pid.to_string(),
                _ => cells.iter().for_each(|cell| label(text, cell)),
            }
        }
        Cell::List(cells) => cells.iter().for_each(|cell| label(text, cell)),
        _ => {}
    }
}
