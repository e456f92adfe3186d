//! Of what type a column is, for what describes tables without a row at hand.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{Column, Known, Latency};

pub enum Shape {
    Flag,
    Count,
    Signed,
    Real,
    Text,
    At,
    Times,
    /// Counts by name.
    Named,
    /// One of these words.
    Word(Vec<&'static str>),
    List(Box<Shape>),
    Row(Table),
    /// None is an answer.
    Maybe(Box<Shape>),
    /// There may be a reason in its place.
    Known(Box<Shape>),
}

/// A declaration, with the types of its columns.
pub struct Table {
    pub name: &'static str,
    pub meaning: &'static str,
    pub columns: Vec<(&'static Column, Shape)>,
}

pub trait Shaped {
    fn shape() -> Shape;
}

impl Shape {
    /// Where there is one.
    pub fn value(&self) -> &Self {
        match self {
            Self::Maybe(value) | Self::Known(value) => value.value(),
            value => value,
        }
    }

    pub fn may_lack(&self) -> bool {
        matches!(self, Self::Maybe(_) | Self::Known(_))
    }

    pub fn has_reason(&self) -> bool {
        match self {
            Self::Maybe(value) => value.has_reason(),
            value => matches!(value, Self::Known(_)),
        }
    }
}

macro_rules! shapes {
    ($($type:ty: $shape:ident;)*) => {$(
        impl Shaped for $type {
            fn shape() -> Shape {
                Shape::$shape
            }
        }
    )*};
}

shapes! {
    u64: Count;
    u32: Count;
    u16: Count;
    u8: Count;
    i64: Signed;
    i32: Signed;
    f64: Real;
    bool: Flag;
    String: Text;
    Cow<'static, str>: Text;
    Timestamp: At;
    Duration: Count;
    Latency: Times;
}

impl<K> Shaped for BTreeMap<K, u64> {
    fn shape() -> Shape {
        Shape::Named
    }
}

impl<T: Shaped> Shaped for Vec<T> {
    fn shape() -> Shape {
        Shape::List(T::shape().into())
    }
}

impl<T: Shaped> Shaped for Option<T> {
    fn shape() -> Shape {
        Shape::Maybe(T::shape().into())
    }
}

impl<T: Shaped> Shaped for Known<T> {
    fn shape() -> Shape {
        Shape::Known(T::shape().into())
    }
}
