//! What can stand in a column: as a cell, and two as one.

mod composed;

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;

use super::{Cell, Merge, Reason};

pub trait Value: Sized {
    fn cell(&self) -> Cell<'_>;

    /// Adds the value of a later interval.
    fn join(&mut self, later: &Self, how: Merge);
}

macro_rules! numbers {
    ($($type:ty as $wide:ty, $cell:ident: $add:expr;)*) => {$(
        impl Value for $type {
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
