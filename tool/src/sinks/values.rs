//! One cell in words.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    View,
    format::{self, UNKNOWN},
    table::Noted,
    who,
};
use crate::{
    escape::{escape, fit},
    snapshot::{Latency, Who},
    table::{Cell, Column, Format, Quantile},
};

pub struct Show<'a> {
    pub view: &'a View,
    pub interval: Duration,
}

impl Show<'_> {
    /// What is not known, or of another type than the format, is a dash.
    pub fn cell(&self, format: Format, cell: &Cell<'_>) -> Noted {
        let shown = match cell {
            Cell::Count(count) => self.count(format, *count),
            Cell::Real(part) if format == Format::Share => Some(format::percent(part * 100.0)),
            Cell::Signed(number) => Some(number.to_string()),
            Cell::Text(path) if matches!(format, Format::Group(_)) => {
                Some(who::last_of(path, who::group_width(self.view)))
            }
            Cell::Text(path) if format == Format::Cgroup => Some(fit(path, who::PATH)),
            Cell::Text(text) => Some(escape(text).into_owned()),
            Cell::At(at) => Some(clock(*at, self.view)),
            Cell::Times(latency) if latency.count > 0 => self.times(format, latency),
            Cell::Row(columns, cells) => return self.who(format, &process(columns, cells)),
            _ => None,
        };
        shown.unwrap_or_else(|| UNKNOWN.to_owned()).into()
    }

    fn count(&self, format: Format, count: u64) -> Option<String> {
        Some(match format {
            Format::Count => format::count(count),
            Format::Number => count.to_string(),
            Format::Rate => format::rate(count, self.interval),
            Format::KibibytesRate => format::rate(count / 1024, self.interval),
            Format::MebibytesRate => format::mebibytes_rate(count, self.interval),
            Format::TimeRate => format::time_rate(count, self.interval),
            Format::Duration => format::duration(count),
            Format::Bytes => format::bytes(count),
            _ => return None,
        })
    }

    fn times(&self, format: Format, latency: &Latency) -> Option<String> {
        Some(match format {
            Format::Count => format::count(latency.count),
            Format::Rate => format::rate(latency.count, self.interval),
            Format::TimeRate => format::time_rate(latency.total_ns, self.interval),
            Format::Duration => format::duration(latency.total_ns),
            Format::Quantile(quantile) => format::duration(match quantile {
                Quantile::P50 => latency.p50_ns,
                Quantile::P90 => latency.p90_ns,
                Quantile::P99 => latency.p99_ns,
                Quantile::P999 => latency.p999_ns,
                Quantile::Max => latency.max_ns,
            }),
            _ => return None,
        })
    }

    fn who(&self, format: Format, of: &Who) -> Noted {
        match format {
            Format::Comm => who::noted(of, who::comm(of, "unknown")),
            Format::Pid => who::pid(of).into(),
            Format::Cgroup => who::cgroup(of, UNKNOWN, who::cgroup_width(self.view)).into(),
            Format::Group(unknown) => who::noted(of, who::cgroup(of, unknown, who::group_width(self.view))),
            _ => UNKNOWN.into(),
        }
    }
}

/// Rows within rows that text shows are processes.
pub fn process(columns: &[Column], cells: &[Cell<'_>]) -> Who {
    let mut who = Who::default();
    for (column, cell) in columns.iter().zip(cells) {
        match (column.name, cell) {
            ("pid", Cell::Count(pid)) => who.pid = u32::try_from(*pid).ok(),
            ("comm", Cell::Text(comm)) => who.comm = Some(comm.clone().into_owned()),
            ("cgroup", Cell::Text(path)) => who.cgroup = Some(path.clone().into_owned()),
            ("unknown", Cell::Text(why)) => who.unknown = Some(why.clone().into_owned().into()),
            _ => {}
        }
    }
    who
}

/// A moment within the day.
pub fn clock(at: Timestamp, view: &View) -> String {
    at.to_zoned(view.zone.clone()).strftime("%H:%M:%S%.3f").to_string()
}
