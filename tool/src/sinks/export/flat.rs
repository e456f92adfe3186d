//! One table, its rows flat.

use std::io::Result;

use super::{
    Stamp, Tables,
    leaf::{self, Leaf},
};
use crate::{
    snapshot::{
        Snapshot,
        tables::{self, EachTable, Of},
    },
    table::{Cell, Columns, Tabular},
};

/// Writes flat rows.
pub trait FlatRows {
    /// With a value for each column; none: null.
    fn row(&mut self, values: Vec<Option<Cell<'_>>>) -> Result<()>;

    fn finish(&mut self) -> Result<()>;
}

pub struct Flat<F> {
    table: &'static str,
    host: Option<String>,
    stamp: Vec<Leaf>,
    leaves: Vec<Leaf>,
    out: F,
}

impl<F: FlatRows> Flat<F> {
    /// `begin`: is told all columns.
    pub fn new(table: &'static str, host: Option<String>, begin: impl FnOnce(&[&Leaf]) -> Result<F>) -> Result<Self> {
        let mut heads = Heads { table, stamp: Vec::new(), leaves: Vec::new() };
        let Ok(()) = tables::each(&mut heads);
        let Heads { stamp, leaves, .. } = heads;
        let out = begin(&stamp.iter().chain(&leaves).collect::<Vec<_>>())?;
        Ok(Self { table, host, stamp, leaves, out })
    }

    fn add(&mut self, stamp: &Stamp, row: &[Cell<'_>]) -> Result<()> {
        let stamp = stamp.cells();
        let values = self.stamp.iter().map(|leaf| leaf.get(&stamp));
        self.out.row(values.chain(self.leaves.iter().map(|leaf| leaf.get(row))).collect())
    }
}

impl<F: FlatRows> Tables for Flat<F> {
    fn tables(&mut self, snapshot: &Snapshot) -> Result<()> {
        tables::each(&mut EachRow { sink: self, snapshot })
    }

    fn finish(&mut self) -> Result<()> {
        self.out.finish()
    }
}

/// The columns of the table.
struct Heads {
    table: &'static str,
    stamp: Vec<Leaf>,
    leaves: Vec<Leaf>,
}

impl EachTable for Heads {
    type Error = std::convert::Infallible;

    fn table<T: Tabular>(&mut self, _: Of<T>) -> std::result::Result<(), Self::Error> {
        if T::Row::NAME == self.table {
            self.stamp = leaf::of::<Stamp>();
            self.stamp.retain(|leaf| T::BOUNDED || leaf.name != "others");
            self.leaves = leaf::of::<T::Row>();
        }
        Ok(())
    }
}

struct EachRow<'a, F> {
    sink: &'a mut Flat<F>,
    snapshot: &'a Snapshot,
}

impl<F: FlatRows> EachTable for EachRow<'_, F> {
    type Error = std::io::Error;

    fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<()> {
        if T::Row::NAME != self.sink.table {
            return Ok(());
        }
        let Some(found) = of(self.snapshot) else { return Ok(()) };
        for row in found.rows() {
            let stamp = Stamp::of(row, self.snapshot, self.sink.host.as_deref());
            self.sink.add(&stamp, &row.cells())?;
        }
        if let Some(others) = found.others() {
            let stamp = Stamp::of_interval(self.snapshot, self.sink.host.as_deref());
            self.sink.add(&Stamp { others: Some(others.rows), ..stamp }, &others.cells())?;
        }
        Ok(())
    }
}
