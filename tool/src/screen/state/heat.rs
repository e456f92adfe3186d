//! Distributions over the minutes that are kept, for the heat map.

use std::collections::BTreeMap;

use super::{Machine, filter::Matcher};
use crate::{
    screen::pages::{
        Distribution, Page, groups,
        lines::Item,
        tables::{self, AnyTable, probe_of},
    },
    sinks::bar,
    snapshot::{Latency, Snapshot},
    table::{AnyRow, Cell, Column, ColumnKind},
};

/// Bands of latencies, of equal height on a log scale: six a decade; what is longer than all of them is in one more.
pub const BANDS: usize = 48;
/// Each has to be unpacked, once.
const INTERVALS: usize = 600;

/// Counts by interval and band; none where it was not there.
#[derive(Default)]
pub struct Heat {
    of: Option<(Distribution, Matcher)>,
    /// The last interval that is seen.
    end: u64,
    pub counts: BTreeMap<u64, Vec<u64>>,
}

impl Machine {
    pub(super) fn open_heat(&mut self) {
        if let Some(next) = self.distribution() {
            // Another column of the same row takes the place of the first.
            if matches!(self.page(), Page::Heat(_)) {
                self.spot_mut().page = Page::Heat(next);
            } else {
                self.go(Page::Heat(next));
            }
        } else {
            self.says = Some("there is no distribution".to_owned());
        }
    }

    /// What is asked for: of the selected row where it has one, else of all rows of the probe's first table with one.
    fn distribution(&self) -> Option<Distribution> {
        let (_, snapshot) = self.shown.as_ref()?;
        let (row, probe, after) = match (self.page(), &self.spot().selected) {
            (Page::Heat(now), _) => (now.row.as_ref(), probe_of(now.table), Some(now)),
            (_, Some(Item::Row(row))) | (Page::Row(row), _) => (Some(row), probe_of(row.table), None),
            (_, Some(Item::Probe(probe))) | (Page::Probe(probe), _) => (None, *probe, None),
            _ => (None, "", None),
        };
        let (mut own, mut first) = (None, None);
        tables::each(snapshot, &self.view, &mut |table| {
            let Some(column) = histogram(table.columns, after.map(|now| now.column)) else { return };
            let here = Distribution { table: table.name, row: None, column };
            if row.is_some_and(|row| row.table == table.name) {
                own = Some(Distribution { row: row.cloned(), ..here });
            } else if first.is_none() && !table.rows.is_empty() && (probe.is_empty() || table.probe() == probe) {
                first = after.is_none_or(|now| now.table == table.name).then_some(here);
            }
        });
        own.or(first)
    }

    /// Looks it up in all intervals that have room in the picture.
    pub(super) fn heat_up(&mut self) {
        let (Page::Heat(wanted), Some((shown, _))) = (self.page().clone(), &self.shown) else { return };
        let of = Some((wanted.clone(), self.settings.filter.clone()));
        if self.heat.of != of {
            self.heat = Heat { of, ..Heat::default() };
        }
        // What is frozen stays, and so does the picture while one goes back in it.
        let first = self.heat.counts.keys().next().copied().unwrap_or(u64::MAX);
        if *shown < first || *shown > self.heat.end {
            let newest = self.timeline.span().map_or(*shown, |(_, newest)| newest);
            self.heat.end = (*shown + INTERVALS as u64).min(newest);
        }
        let mut known = std::mem::take(&mut self.heat.counts);
        for number in self.intervals_until(self.heat.end, INTERVALS) {
            let counts = known.remove(&number).unwrap_or_else(|| self.counts(&wanted, number));
            self.heat.counts.insert(number, counts);
        }
    }

    fn counts(&self, wanted: &Distribution, at: u64) -> Vec<u64> {
        let Some(snapshot) = self.timeline.snapshot(at) else { return Vec::new() };
        self.latency(&snapshot, wanted).map_or_else(Vec::new, |latency| bar::columns(&latency, BANDS))
    }

    fn latency(&self, snapshot: &Snapshot, wanted: &Distribution) -> Option<Latency> {
        let mut found = None;
        let of = |row: &dyn AnyRow| match row.at(wanted.column) {
            Cell::Times(latency) => Some(latency.into_owned()),
            _ => None,
        };
        let mut look = |table: &AnyTable| match &wanted.row {
            Some(row) => groups::find(table, row, &self.settings.filter, &mut |_, row| found = of(row)),
            None => {
                let all: Vec<Latency> = table.rows.iter().filter_map(|row| of(*row)).collect();
                found = (!all.is_empty()).then(|| Latency::merge(&all));
            }
        };
        tables::each(snapshot, &self.view, &mut |table| {
            if table.name == wanted.table {
                look(table);
            }
        });
        found
    }
}

/// The next one behind that column, or the first.
fn histogram(columns: &[Column], after: Option<usize>) -> Option<usize> {
    let all = || columns.iter().enumerate().filter(|(_, column)| column.kind == ColumnKind::Histogram);
    let next = after.and_then(|after| all().find(|(at, _)| *at > after));
    next.or_else(|| all().next()).map(|(at, _)| at)
}
