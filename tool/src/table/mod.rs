//! Tables: a column is declared once, at the field of the row, and every sink reads the declaration.
//!
//! ```text
//! table! {
//!     /// One operation on one device.
//!     pub struct Device in "io.devices" {
//!         /// Kernel name of the device.
//!         device: String = label(), text [words("DEVICE").least(6)];
//!         /// Requests that were completed.
//!         ios: u64 = counter("requests").source("block_rq_complete"), text [rate("IO/s").least(5)];
//!         service: Known<Latency> = histogram(), text [q50("p50").least(5), longest("MAX").close().least(5)];
//!     }
//! }
//! ```
//!
//! This makes the struct (all fields public; `Clone`, `Debug`, `PartialEq`, serde's `Serialize` and `Deserialize`, and what `derive(…)`
//! after the table's name adds) and its [`Columns`]. The comment of a field is the column's meaning. The order of fields is that of JSON's keys, and of the text's
//! columns where they do not say `after`.
//!
//! **What a column is** ([`Column`]), with how the rows of two intervals become one:
//!
//! | | | two become one |
//! |---|---|---|
//! | `label()` | what rows are told apart by | is the same |
//! | `counter(unit)` | grows with what happened in the interval | sum |
//! | `gauge(unit)` | how it is now | the last; with `.max()` the greatest |
//! | `histogram()` | a distribution of nanoseconds | both together |
//! | `flag()` | yes or no | the last; with `.max()` if either was |
//! | `info()` | anything else that is not a number to add | the last |
//!
//! - `.now()`: how it is at the end of an interval, which is the last of two even of what has `.max()`; of a row that is not there at the end,
//!   zero or none.
//! - `.shared()`: rows beside each other have it together, so that it does not add up where they become one ([`group`]).
//! - `.source("…")`: the kernel's hook or file that it comes from.
//! - `.columns(Who::COLUMNS)`: the field is a row itself; with `.flat()` its keys stand among those of the row around it, as do those
//!   of a distribution.
//! - `.parts(&[("waits", "count"), ("p99_ns", "p99_ns")])`: of a distribution or a row, only these, under these keys, flat. Of a
//!   distribution there are `count`, those of `Latency::PARTS`, `sum_ns` (`total_ns`,
//!   but 0 of an empty one), `histogram`, and `why`: the place of the reason, with which a histogram that is not known is empty. Of a
//!   row, `x_unknown` is left out where its part `x` is known.
//! - `.empty("…")`: why a distribution of nothing has no times, which is said where the reason would be.
//! - `.hidden()`: not in JSON. `.optional()`: not there where it is none; `.sparse()`: nor where it is 0, false or empty;
//!   `.unless("other")`: nor where that column is there.
//! - `.key("…")`: JSON's name, where it is not the field's. `.reason("…")`: that of the reason; otherwise the field's name without
//!   its unit, with `_unknown`. `.as_of("other")`: no reason where that of `other`, before it or behind it, is the same.
//!
//! **How text shows it** ([`Text`]), any number of times per column: `words` `count` `number` `rate` `kibibytes_rate`
//! `mebibytes_rate` `time_rate` `duration` `bytes` `share` (0 to 1, as percent) `clock` (a moment of the day); of a distribution
//! `q50` `q90` `q99` `q999` `longest` `spark(room)`; of a process `comm` `pid` `cgroup` (of a path, all of it), and
//! `group("HEAD", "unknown")` in place of the first three where rows are `grouped`; and `own("HEAD", "name")`, for which the sink has
//! a function of the row.
//!
//! - `.left()` `.right()` `.close()` (right, near the column before): numbers are to the right unless told.
//! - `.least(n)`: least width. `.narrow("HEAD")`: the head below a hundred columns.
//! - `.wide()`, `.roomy()`: only from 100, from 120 columns on.
//! - `.unless_zero()`, `.unless_unknown()`: left out if that is so in every row. `.with("other")`: left out with that column.
//! - `.after("other")`: stands behind all of that column. `.or("other")`: shows that column where this one is not known.
//!
//! **What is not in a recording**, because the column came later, is read as not known (`not recorded`) where its type is [`Known`]; else as none, zero or empty.
//!
//! **Types** of fields are those with a [`Value`] that can be written and read: numbers, `bool`, `String`, `Reason`, `Timestamp`, `Duration`, `Latency`, rows,
//! `Option` (none is an answer), [`Known`] (not known has a reason), `Vec`, `BTreeMap` of counts; enums with names by
//! `named!(Op, How)`; others by a [`Value`] of their own.
//!
//! **A sink** draws with `sinks::rows::Rows` and writes JSON with `sinks::json::row::{Row, Rows}`. What depends on the run is handed
//! to the former: `head` (`SLOW` is `SLOW >10ms`), `without` (columns by their heads), `own` (functions of the row), `below` (a line
//! under each row); `table` gives what can have rows of its own added, such as a sum.
//!
//! **To convert a probe**: make its rows in `snapshot/` tables, in the order of JSON's keys, with reasons as [`Known`] where
//! `between/` knows them; add them to the list in `tests.rs` here, and refer to them where `docs/lines.schema.json` is loose; delete
//! their mirrors in `sinks/json/`, and heads and cells in `sinks/`; `cargo xtask docs`. What `sinks/golden.rs` keeps must not change.

mod bounded;
mod cell;
mod column;
mod declare;
mod group;
mod known;
mod latency;
pub mod shape;
pub mod spec;
mod tabular;
mod text;
mod then;
mod value;

#[cfg(test)]
pub mod any;
#[cfg(test)]
pub mod tests;

pub use bounded::{Bounded, Others, ROWS};
pub use cell::Cell;
pub use column::{Absent, Column, ColumnKind, Json, Merge};
pub(crate) use declare::table;
pub use group::Grouped;
pub use known::{Known, NOT_RECORDED, Reason, Why};
pub use latency::{Latency, LatencyPart};
pub use tabular::Tabular;
pub use text::{Align, Format, Quantile, Room, Text, Unless};
pub(crate) use then::placed;
pub use then::{Placed, Then, in_order, labels};
pub(crate) use value::named;
pub use value::{Value, missing};

use std::any::Any;

/// A row of a table.
pub trait Columns: Clone + 'static {
    /// `probe.table`
    const NAME: &'static str;
    const MEANING: &'static str;
    const COLUMNS: &'static [Column];

    /// None beyond the last column.
    fn get(&self, column: usize) -> Cell<'_>;

    /// Adds another row.
    fn merge_as(&mut self, other: &Self, how: fn(&Column) -> Merge);

    /// The same, as rows of one table add up.
    fn merge(&mut self, other: &Self) {
        self.merge_as(other, |column| column.merge);
    }

    /// Adds the same row of the interval after it; none: it is not there any more.
    fn then(&mut self, later: Option<&Self>);

    fn cells(&self) -> Vec<Cell<'_>> {
        (0..Self::COLUMNS.len()).map(|column| self.get(column)).collect()
    }

    fn column(name: &str) -> Option<usize> {
        column(Self::COLUMNS, name)
    }
}

/// A row of whichever table.
pub trait AnyRow {
    fn columns(&self) -> &'static [Column];

    /// None beyond the last column.
    fn at(&self, column: usize) -> Cell<'_>;

    /// For who knows more of some tables than what is declared.
    fn any(&self) -> &dyn Any;

    /// With others of its table, which stand beside it.
    fn sum(&self, others: &[&dyn AnyRow]) -> Box<dyn AnyRow>;

    /// It stands for several.
    fn group(&self) -> Option<&Grouped<'_>> {
        None
    }
}

impl<R: Columns> AnyRow for R {
    fn columns(&self) -> &'static [Column] {
        R::COLUMNS
    }

    fn at(&self, column: usize) -> Cell<'_> {
        self.get(column)
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn sum(&self, others: &[&dyn AnyRow]) -> Box<dyn AnyRow> {
        let mut sum = self.clone();
        for other in others.iter().filter_map(|row| row.any().downcast_ref()) {
            sum.merge_as(other, group::how);
        }
        Box::new(sum)
    }
}

/// The number of a column.
pub fn column(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}
