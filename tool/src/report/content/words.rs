//! Times and names in a report.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::{format, report::story::Story, snapshot::Who};

const DAY: i64 = 86_400;
/// Distances of times on an axis, in seconds.
const STEPS: [i64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 6 * 3600, DAY];
const TIMES: i64 = 6;

/// Local time; with the day where a story has several.
pub struct Clock {
    zone: TimeZone,
    days: bool,
}

impl Clock {
    pub fn new(story: &Story, zone: TimeZone) -> Self {
        let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let days = story.span().is_some_and(|(from, to)| day(from) != day(to));
        Self { zone, days }
    }

    pub fn time(&self, at: Timestamp) -> String {
        self.show(at, if self.days { "%F %H:%M:%S" } else { "%H:%M:%S" })
    }

    pub fn day(&self, at: Timestamp) -> String {
        self.show(at, "%-d %B %Y")
    }

    pub fn zone(&self, at: Timestamp) -> String {
        self.show(at, "%Z")
    }

    /// Some full seconds, minutes or hours, for the axis of a picture.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, String)> {
        let length = to.duration_since(from).as_secs();
        let step = STEPS.into_iter().find(|step| length / step <= TIMES).unwrap_or(DAY);
        let format = match step {
            step if step < 60 => "%H:%M:%S",
            _ if self.days => "%-d %b %H:%M",
            _ => "%H:%M",
        };
        let first = from.as_second().div_euclid(step) * step;
        let places = (first..=to.as_second()).step_by(step as usize);
        places
            .filter_map(|second| Timestamp::from_second(second).ok())
            .filter(|at| *at >= from)
            .map(|at| (at, self.show(at, format)))
            .collect()
    }

    fn show(&self, at: Timestamp, format: &str) -> String {
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }
}

pub fn between(from: Timestamp, to: Timestamp) -> String {
    length(to.duration_since(from).try_into().unwrap_or_default())
}

pub fn length(duration: Duration) -> String {
    format::duration(duration.as_nanos() as u64)
}

/// What nobody has, or nobody knows.
pub fn or_dash(text: String) -> String {
    if text.is_empty() { format::UNKNOWN.to_owned() } else { text }
}

pub fn cgroup(who: &Who) -> String {
    who.cgroup.as_deref().map_or_else(|| format::UNKNOWN.to_owned(), |path| crate::escape::escape(path).into_owned())
}

/// `a, b and 3 more`.
pub fn list(names: &[String], shown: usize) -> String {
    let more = names.len().saturating_sub(shown);
    let text = names[..names.len() - more].join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}
