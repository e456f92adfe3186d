//! Values of a Parquet column that wait for being written, with their levels.

use std::io::{Error, Result};

use parquet::data_type::ByteArray;

use crate::{sinks::json, table::Cell};

pub enum Values {
    Flags(Vec<bool>),
    Longs(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<ByteArray>),
}

/// Parquet's definition levels say what is null (of a map: what is empty), its repetition levels where a row goes on.
pub struct Chunk {
    values: Values,
    defined: Vec<i16>,
    /// Empty: each row has one value.
    repeated: Vec<i16>,
}

impl Chunk {
    pub fn of(values: Values) -> Self {
        Self { values, defined: Vec::new(), repeated: Vec::new() }
    }

    pub fn values(&self) -> &Values {
        &self.values
    }

    pub fn defined(&self) -> &[i16] {
        &self.defined
    }

    pub fn repeated(&self) -> Option<&[i16]> {
        (!self.repeated.is_empty()).then_some(&self.repeated)
    }

    /// How many were added, as all of these.
    pub fn push(&mut self, value: Option<Cell<'_>>) -> Result<usize> {
        self.defined.push(i16::from(value.is_some()));
        value.map_or(Ok(()), |value| self.add(&value))?;
        Ok(1)
    }

    pub fn push_keys(&mut self, map: Option<&Cell<'_>>) -> Result<usize> {
        match map {
            Some(Cell::Times(latency)) => self.push_all(latency.histogram().map(|(from, _)| Cell::Count(from))),
            Some(Cell::Named(counts)) => self.push_all(counts.iter().map(|(name, _)| Cell::Text(name.as_ref().into()))),
            _ => self.push_none(),
        }
    }

    pub fn push_counts(&mut self, map: Option<&Cell<'_>>) -> Result<usize> {
        match map {
            Some(Cell::Times(latency)) => self.push_all(latency.histogram().map(|(_, count)| Cell::Count(count))),
            Some(Cell::Named(counts)) => self.push_all(counts.iter().map(|(_, count)| Cell::Count(*count))),
            _ => self.push_none(),
        }
    }

    fn push_none(&mut self) -> Result<usize> {
        self.defined.push(0);
        self.repeated.push(0);
        Ok(1)
    }

    /// Of one row.
    fn push_all<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) -> Result<usize> {
        let before = self.defined.len();
        for cell in cells {
            self.repeated.push(i16::from(self.defined.len() > before));
            self.defined.push(2);
            self.add(&cell)?;
        }
        if self.defined.len() == before {
            self.defined.push(1);
            self.repeated.push(0);
        }
        Ok(self.defined.len() - before)
    }

    fn add(&mut self, cell: &Cell<'_>) -> Result<()> {
        match (&mut self.values, cell) {
            (Values::Flags(values), Cell::Flag(flag)) => values.push(*flag),
            // What is above 2^63 has the bits of a negative number, and the schema says that there are none.
            (Values::Longs(values), Cell::Count(count)) => values.push(*count as i64),
            (Values::Longs(values), Cell::Signed(number)) => values.push(*number),
            (Values::Longs(values), Cell::At(at)) => {
                values.push(i64::try_from(at.as_nanosecond()).map_err(Error::other)?)
            }
            (Values::Reals(values), Cell::Real(number)) => values.push(*number),
            (Values::Texts(values), Cell::Text(text)) => values.push(text.as_bytes().to_vec().into()),
            (Values::Texts(values), Cell::List(_) | Cell::Row(..)) => {
                values.push(json::text(cell)?.into_bytes().into())
            }
            _ => return Err(Error::other("a value of another type than its column's")),
        }
        Ok(())
    }

    pub fn clear(&mut self) {
        match &mut self.values {
            Values::Flags(values) => values.clear(),
            Values::Longs(values) => values.clear(),
            Values::Reals(values) => values.clear(),
            Values::Texts(values) => values.clear(),
        }
        self.defined.clear();
        self.repeated.clear();
    }
}
