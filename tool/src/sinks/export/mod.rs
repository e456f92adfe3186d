//! Tables as files for other tools: NDJSON, CSV, Parquet. Of a column it knows no more than its declaration.
//!
//! Each row begins with a [`Stamp`]. NDJSON has rows as `--json` has them. CSV and Parquet are flat: `leaf` makes a column of each part of a row that
//! has a value of its own. What is not known is null, with the reason in a column of its own.

#[cfg(feature = "parquet")]
mod chunk;
mod csv;
mod flat;
mod leaf;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;

use std::{borrow::Cow, convert::Infallible, io, mem, time::Duration};

use jiff::Timestamp;

use crate::{
    snapshot::{
        Snapshot,
        oom::Kill,
        tables::{self, EachTable, Of},
        tcp::Events,
    },
    table::{Cell, Columns, Tabular, table},
};
use flat::Flat;

table! {
    /// What an exported row begins with.
    pub struct Stamp in "export" {
        /// End of the interval; of an event, its own moment.
        at: Timestamp = label();
        /// Measured length of the interval; none: its end is not recorded.
        interval_ns: Option<Duration> = gauge("ns");
        /// Whose it is; none where the recording does not say.
        host: Option<String> = label();
        /// Only where rows were added up that are not kept: how many. It is nobody's.
        others: Option<u64> = gauge("rows").optional();
    }
}

impl Stamp {
    fn of_interval(snapshot: &Snapshot, host: Option<&str>) -> Self {
        let interval_ns = Some(snapshot.interval).filter(|interval| !interval.is_zero());
        Self { at: snapshot.at, interval_ns, host: host.map(str::to_owned), others: None }
    }

    fn of<R: Columns>(row: &R, snapshot: &Snapshot, host: Option<&str>) -> Self {
        let stamp = Self::of_interval(snapshot, host);
        match R::column("at").map(|at| row.get(at)) {
            Some(Cell::At(at)) => Self { at, ..stamp },
            _ => stamp,
        }
    }
}

/// Writes the tables of snapshots.
trait Tables {
    fn tables(&mut self, snapshot: &Snapshot) -> io::Result<()>;

    /// After the last.
    fn finish(&mut self) -> io::Result<()>;
}

/// Events and kills that were told before their interval ended are rows of that interval.
pub struct Exporter {
    events: Events,
    kills: Vec<Kill>,
    out: Box<dyn Tables>,
}

impl Exporter {
    fn to(out: impl Tables + 'static) -> Self {
        Self { events: Events::default(), kills: Vec::new(), out: Box::new(out) }
    }

    /// Every table, or one.
    pub fn ndjson(out: impl io::Write + 'static, table: Option<&'static str>, host: Option<String>) -> Self {
        Self::to(ndjson::Ndjson::new(out, table, host))
    }

    pub fn csv(out: impl io::Write + 'static, table: &'static str, host: Option<String>) -> io::Result<Self> {
        Ok(Self::to(Flat::new(table, host, |leaves| csv::Csv::new(out, leaves))?))
    }

    #[cfg(feature = "parquet")]
    pub fn parquet(
        out: impl io::Write + Send + 'static,
        table: &'static str,
        host: Option<String>,
    ) -> io::Result<Self> {
        Ok(Self::to(Flat::new(table, host, |leaves| parquet::Parquet::new(out, table, leaves))?))
    }

    /// With what was told before.
    fn whole<'a>(&mut self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        let (mut events, mut kills) = (mem::take(&mut self.events), mem::take(&mut self.kills));
        if events.is_empty() && kills.is_empty() {
            return Cow::Borrowed(snapshot);
        }
        let mut snapshot = snapshot.clone();
        let (tcp, oom) = (snapshot.tcp.get_or_insert_default(), snapshot.oom.get_or_insert_default());
        events.append(mem::take(&mut tcp.events));
        tcp.events = events;
        kills.append(&mut oom.kills);
        oom.kills = kills;
        Cow::Owned(snapshot)
    }

    pub fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let snapshot = self.whole(snapshot);
        self.out.tables(&snapshot)
    }

    pub fn events(&mut self, events: &Events) -> io::Result<()> {
        self.events.append(events.clone());
        Ok(())
    }

    pub fn kills(&mut self, kills: &[Kill]) -> io::Result<()> {
        self.kills.extend_from_slice(kills);
        Ok(())
    }

    pub fn finish(&mut self) -> io::Result<()> {
        let none = Snapshot::new(Timestamp::default(), Duration::ZERO, Err(String::new()));
        let rest = self.whole(&none);
        self.out.tables(&rest)?;
        self.out.finish()
    }
}

/// Of all tables that can be exported.
pub fn names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);

    impl EachTable for Names {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, _: Of<T>) -> Result<(), Infallible> {
            self.0.push(T::Row::NAME);
            Ok(())
        }
    }

    let mut names = Names(Vec::new());
    let Ok(()) = tables::each(&mut names);
    names.0
}

#[cfg(test)]
mod tests;
