//! Values of several: distributions, lists, maps, and those that may not be there.

use std::{borrow::Cow, collections::BTreeMap};

use super::{Value, last};
use crate::{
    table::Latency,
    table::{Cell, Column, Known, Merge, NOT_RECORDED},
};

impl Value for Latency {
    fn missing() -> Self {
        Self::default()
    }

    fn cell(&self) -> Cell<'_> {
        Cell::Times(Cow::Borrowed(self))
    }

    fn join(&mut self, later: &Self, how: Merge) {
        match how {
            Merge::Add => *self = Latency::merge([&*self, later]),
            _ => last(self, later, how),
        }
    }
}

/// Counts by name or number.
impl<K: Value + Ord + Clone> Value for BTreeMap<K, u64> {
    fn missing() -> Self {
        Self::new()
    }

    fn cell(&self) -> Cell<'_> {
        let name = |key: &'_ K| match key.cell() {
            Cell::Text(name) => Cow::Owned(name.into_owned()),
            Cell::Count(number) => Cow::Owned(number.to_string()),
            _ => Cow::Borrowed(""),
        };
        Cell::Named(self.iter().map(|(key, count)| (name(key), *count)).collect())
    }

    fn join(&mut self, later: &Self, how: Merge) {
        if how != Merge::Add {
            return last(self, later, how);
        }
        for (key, count) in later {
            self.entry(key.clone()).or_insert(0).join(count, how);
        }
    }
}

impl<T: Value + Clone> Value for Vec<T> {
    fn missing() -> Self {
        Self::new()
    }

    fn cell(&self) -> Cell<'_> {
        Cell::List(self.iter().map(Value::cell).collect())
    }

    fn join(&mut self, later: &Self, how: Merge) {
        last(self, later, how);
    }
}

impl<T: Value + Clone> Value for Option<T> {
    fn missing() -> Self {
        None
    }

    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::None, Value::cell)
    }

    fn join(&mut self, later: &Self, how: Merge) {
        match (self, later) {
            (Some(value), Some(later)) => value.join(later, how),
            (value, later) if how == Merge::Last || value.is_none() => last(value, later, how),
            _ => {}
        }
    }

    fn then(&mut self, later: Option<&Self>, column: &Column) {
        match later {
            Some(None) if column.is_label() => {}
            Some(later) if column.now || column.is_label() => *self = later.clone(),
            Some(later) => self.join(later, column.merge),
            None if column.now => self.end(),
            None => {}
        }
    }

    fn end(&mut self) {
        *self = None;
    }
}

impl<T: Value + Clone> Value for Known<T> {
    fn missing() -> Self {
        Self::unknown(NOT_RECORDED)
    }

    fn cell(&self) -> Cell<'_> {
        match self {
            Self::Value(value) => value.cell(),
            Self::Not(why) => Cell::Unknown(Cow::Borrowed(why)),
        }
    }

    /// A sum is of what was measured. What may be greater than the greatest makes that unknown, too.
    fn join(&mut self, later: &Self, how: Merge) {
        match (&mut *self, later, how) {
            (Self::Value(value), Self::Value(later), _) => value.join(later, how),
            (_, _, Merge::Same) | (Self::Value(_), Self::Not(_), Merge::Add) | (Self::Not(_), _, Merge::Max) => {}
            _ => *self = later.clone(),
        }
    }

    fn end(&mut self) {
        if let Self::Value(value) = self {
            value.end();
        }
    }
}
