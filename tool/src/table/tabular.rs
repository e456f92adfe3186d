//! What can stand in a snapshot as a table.

use std::slice;

use super::{Bounded, Columns, Known, Others, Why, shape::Shaped};

/// Rows, or the reason why there are none.
pub trait Tabular: Clone {
    type Row: Columns + Shaped;
    /// There may be others, which are added up.
    const BOUNDED: bool = false;

    fn rows(&self) -> &[Self::Row];

    fn others(&self) -> Option<&Others<Self::Row>> {
        None
    }

    /// Why there is no table: one without rows is an answer.
    fn why(&self) -> Option<&Why> {
        None
    }
}

/// One row.
impl<R: Columns + Shaped + Clone> Tabular for R {
    type Row = R;

    fn rows(&self) -> &[R] {
        slice::from_ref(self)
    }
}

impl<R: Columns + Shaped + Clone> Tabular for Vec<R> {
    type Row = R;

    fn rows(&self) -> &[R] {
        self
    }
}

impl<R: Columns + Shaped + Clone> Tabular for Bounded<R> {
    type Row = R;
    const BOUNDED: bool = true;

    fn rows(&self) -> &[R] {
        self
    }

    fn others(&self) -> Option<&Others<R>> {
        Bounded::others(self)
    }
}

impl<T: Tabular> Tabular for Known<T> {
    type Row = T::Row;
    const BOUNDED: bool = T::BOUNDED;

    fn rows(&self) -> &[T::Row] {
        self.value().map_or(&[], Tabular::rows)
    }

    fn others(&self) -> Option<&Others<T::Row>> {
        self.value().and_then(Tabular::others)
    }

    fn why(&self) -> Option<&Why> {
        Known::why(self)
    }
}
