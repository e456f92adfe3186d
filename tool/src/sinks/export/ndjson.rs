//! One row a line, as an object with the keys that it has in `--json`.

use std::io::{Result, Write};

use serde::Serialize;

use super::{Stamp, Tables};
use crate::{
    sinks::json::{Lines, Row, Summed},
    snapshot::{
        Snapshot,
        tables::{self, EachTable, Of},
    },
    table::{Columns, Tabular},
};

pub struct Ndjson<W> {
    out: W,
    /// None: all.
    table: Option<&'static str>,
    host: Option<String>,
    lines: Lines,
}

impl<W: Write> Ndjson<W> {
    pub fn new(out: W, table: Option<&'static str>, host: Option<String>) -> Self {
        Self { out, table, host, lines: Lines::default() }
    }
}

impl<W: Write> Tables for Ndjson<W> {
    fn tables(&mut self, snapshot: &Snapshot) -> Result<()> {
        tables::each(&mut EachRow { sink: self, snapshot })?;
        self.lines.write_to(&mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush()
    }
}

struct EachRow<'a, W> {
    sink: &'a mut Ndjson<W>,
    snapshot: &'a Snapshot,
}

#[derive(Serialize)]
struct Tabled<'a, R> {
    table: &'static str,
    #[serde(flatten)]
    stamp: Row<'a, Stamp>,
    #[serde(flatten)]
    row: R,
}

impl<W> EachTable for EachRow<'_, W> {
    type Error = std::io::Error;

    fn table<T: Tabular>(&mut self, of: Of<T>) -> Result<()> {
        let table = T::Row::NAME;
        if self.sink.table.is_some_and(|wanted| wanted != table) {
            return Ok(());
        }
        let Some(found) = of(self.snapshot) else { return Ok(()) };
        let host = self.sink.host.as_deref();
        for row in found.rows() {
            let stamp = Stamp::of(row, self.snapshot, host);
            self.sink.lines.add(&Tabled { table, stamp: Row(&stamp), row: Row(row) })?;
        }
        if let Some(others) = found.others() {
            let stamp = Stamp::of_interval(self.snapshot, host);
            self.sink.lines.add(&Tabled { table, stamp: Row(&stamp), row: Summed(others) })?;
        }
        Ok(())
    }
}
