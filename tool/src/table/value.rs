//! What can stand in a column: as a cell, and two as one.

mod composed;

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;

use super::{Cell, Column, Merge, Reason};

/// What stands in a column that a recording does not have.
pub fn missing<T: Value>() -> T {
    T::missing()
}

pub trait Value: Sized {
    /// Not recorded, where that can be said; else nothing: none, zero, empty.
    fn missing() -> Self;

    fn cell(&self) -> Cell<'_>;

    /// Adds another value, of a later interval or of another row.
    fn join(&mut self, later: &Self, how: Merge);

    /// Adds the value of the interval after it; none: its row is not there any more.
    fn then(&mut self, later: Option<&Self>, column: &Column) {
        match later {
            Some(later) if column.now => self.join(later, Merge::Last),
            Some(later) => self.join(later, column.merge),
            None if column.now => self.end(),
            None => {}
        }
    }

    /// Nothing is so any more.
    fn end(&mut self) {}
}

macro_rules! numbers {
    ($($type:ty as $wide:ty, $cell:ident: $add:expr;)*) => {$(
        impl Value for $type {
            fn missing() -> Self {
                <$type>::default()
            }

            fn cell(&self) -> Cell<'_> {
                Cell::$cell(<$wide>::from(*self))
            }

            fn join(&mut self, later: &Self, how: Merge) {
                match how {
                    Merge::Same => {}
                    Merge::Add => *self = $add(*self, *later),
                    Merge::Last => *self = *later,
                    Merge::Max => *self = <$type>::max(*self, *later),
                }
            }

            fn end(&mut self) {
                *self = <$type>::default();
            }
        }
    )*};
}

numbers! {
    u64 as u64, Count: u64::saturating_add;
    u32 as u64, Count: u32::saturating_add;
    u16 as u64, Count: u16::saturating_add;
    u8 as u64, Count: u8::saturating_add;
    i64 as i64, Signed: i64::saturating_add;
    i32 as i64, Signed: i32::saturating_add;
    f64 as f64, Real: |a: f64, b: f64| a + b;
    bool as bool, Flag: |a: bool, b: bool| a | b;
    Timestamp as Timestamp, At: |_, later| later;
}

impl Value for Duration {
    fn missing() -> Self {
        Self::ZERO
    }

    fn cell(&self) -> Cell<'_> {
        Cell::Count(u64::try_from(self.as_nanos()).unwrap_or(u64::MAX))
    }

    fn join(&mut self, later: &Self, how: Merge) {
        match how {
            Merge::Same => {}
            Merge::Add => *self = self.saturating_add(*later),
            Merge::Last => *self = *later,
            Merge::Max => *self = (*self).max(*later),
        }
    }
}

/// Neither added nor compared: the last counts.
fn last<T: Clone>(value: &mut T, later: &T, how: Merge) {
    if how != Merge::Same {
        *value = later.clone();
    }
}

macro_rules! texts {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn missing() -> Self {
                Self::default()
            }

            fn cell(&self) -> Cell<'_> {
                Cell::Text(Cow::Borrowed(self))
            }

            fn join(&mut self, later: &Self, how: Merge) {
                last(self, later, how);
            }
        }
    )*};
}

texts!(String, Reason);

/// Enums with `ALL` and `name`.
macro_rules! named {
    ($($type:ty),*) => {$(
        impl $crate::table::Value for $type {
            fn missing() -> Self {
                let [first, ..] = Self::ALL;
                first
            }

            fn cell(&self) -> $crate::table::Cell<'_> {
                $crate::table::Cell::Text(self.name().into())
            }

            fn join(&mut self, later: &Self, how: $crate::table::Merge) {
                if how != $crate::table::Merge::Same {
                    *self = *later;
                }
            }
        }

        impl $crate::table::shape::Shaped for $type {
            fn shape() -> $crate::table::shape::Shape {
                $crate::table::shape::Shape::Word(Self::ALL.into_iter().map(|value| value.name()).collect())
            }
        }
    )*};
}

pub(crate) use named;
