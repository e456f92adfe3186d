//! What is asked of the minutes before what is shown.

use std::collections::BTreeMap;

use super::Machine;
use crate::{
    record::Entry,
    screen::{
        digest::What,
        pages::{
            Page, RowId, groups,
            tables::{self, number},
        },
    },
    snapshot::oom::Kill,
    table::{Format, Quantile},
};

/// Intervals that a row is looked up in when it is opened; each has to be unpacked.
const INTERVALS: usize = 60;

/// Values of one row, by column.
#[derive(Default)]
pub struct History {
    row: Option<RowId>,
    values: BTreeMap<u64, Vec<Option<f64>>>,
}

impl Machine {
    /// Looks the row that is shown in full up in the intervals before.
    pub(super) fn follow(&mut self) {
        let Page::Row(row) = self.page().clone() else {
            self.history = History::default();
            return;
        };
        if self.history.row.as_ref() != Some(&row) {
            self.history = History { row: Some(row.clone()), ..History::default() };
        }
        let wanted = self.last_intervals(INTERVALS);
        let mut known = std::mem::take(&mut self.history.values);
        for number in wanted {
            let values = known.remove(&number).unwrap_or_else(|| self.values(&row, number));
            self.history.values.insert(number, values);
        }
    }

    fn values(&self, wanted: &RowId, at: u64) -> Vec<Option<f64>> {
        let mut values = Vec::new();
        let Some(snapshot) = self.timeline.snapshot(at) else { return values };
        tables::each(&snapshot, &self.view, &mut |table| {
            groups::find(table, wanted, &self.settings.filter, &mut |table, row| {
                let value = |column| number(&row.at(column), Format::Quantile(Quantile::P99));
                values = (0..table.columns.len()).map(value).collect();
            });
        });
        values
    }

    /// Up to what is shown.
    fn last_intervals(&self, most: usize) -> Vec<u64> {
        self.shown.as_ref().map_or_else(Vec::new, |(at, _)| self.intervals_until(*at, most))
    }

    /// The last intervals up to one.
    pub(super) fn intervals_until(&self, end: u64, most: usize) -> Vec<u64> {
        let until = self.timeline.digests().filter(|(number, digest)| *number <= end && digest.what.is_interval());
        let mut last: Vec<u64> = until.rev().take(most).map(|(number, _)| number).collect();
        last.reverse();
        last
    }

    /// Of a column of the row that is shown in full; none where it was not there.
    pub fn history(&self, column: usize) -> Vec<Option<f64>> {
        self.history.values.values().map(|values| values.get(column).copied().flatten()).collect()
    }

    /// A probe's figure, by its place.
    pub fn figures(&self, place: usize, most: usize) -> Vec<Option<f64>> {
        let figure = |number: u64| self.timeline.digest(number).and_then(|digest| digest.figures[place]);
        self.last_intervals(most).into_iter().map(figure).collect()
    }

    /// The last that were told before what is shown.
    pub fn last_kills(&self) -> Vec<Kill> {
        let Some((at, snapshot)) = &self.shown else { return Vec::new() };
        let told = self.timeline.digests().filter(|(number, digest)| number <= at && digest.what == What::Kill);
        let last = told.map(|(number, _)| number).next_back();
        match last.and_then(|number| self.timeline.entry(number)) {
            Some(Entry::Kills(kills)) => kills,
            _ => snapshot.oom.iter().flat_map(|oom| &oom.kills).cloned().collect(),
        }
    }
}
