//! The common currency: what stands in one column of one row.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Latency;
use super::{Column, Why};

#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// There is none, which is an answer.
    None,
    Unknown(Cow<'a, Why>),
    Flag(bool),
    Count(u64),
    Signed(i64),
    Real(f64),
    Text(Cow<'a, str>),
    At(Timestamp),
    Times(Cow<'a, Latency>),
    /// Counts by name.
    Named(Vec<(Cow<'a, str>, u64)>),
    List(Vec<Cell<'a>>),
    /// A row within the row.
    Row(&'static [Column], Vec<Cell<'a>>),
}

impl Cell<'_> {
    /// None, zero or empty. What is not known is none of these.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::None | Self::Flag(false) | Self::Count(0) | Self::Signed(0) => true,
            Self::Real(value) => *value == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Times(latency) => latency.count == 0,
            Self::Named(counts) => counts.is_empty(),
            Self::List(cells) => cells.is_empty(),
            _ => false,
        }
    }

    /// There is neither a value nor an answer that there is none.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}
