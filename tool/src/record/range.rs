//! Which part of a recording is asked for.

use std::path::Path;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{Problem, incident};
use crate::cli::plan::When;

/// The first and the last moment that are asked for.
pub fn range(
    path: &Path,
    asked_from: Option<When>,
    asked_to: Option<When>,
    incident: Option<u32>,
    (first, last): (Timestamp, Timestamp),
) -> Result<(Timestamp, Timestamp), Problem> {
    if let Some(number) = incident {
        let incidents = incident::all(path)?;
        let incident = incidents.into_iter().find(|incident| incident.number == number);
        let Some(incident) = incident else { return Err(Problem::NoIncident { path: path.to_owned(), number }) };
        return Ok((incident.from, incident.end(path)?));
    }
    let from = match asked_from {
        None => first,
        Some(When::At(at)) => at,
        Some(When::Clock(time)) => latest(time, last).unwrap_or(first),
    };
    let to = match asked_to {
        None => last,
        Some(When::At(at)) => at,
        // The first after the beginning; without one, the last.
        Some(When::Clock(time)) => match asked_from {
            Some(_) => from.checked_add(24.hours()).ok().and_then(|end| latest(time, end)),
            None => latest(time, last),
        }
        .unwrap_or(last),
    };
    if from > to || from > last || to < first {
        return Err(Problem::NothingThen { path: path.to_owned(), first, last });
    }
    Ok((from, to))
}

/// The last time before the end that a clock here showed that.
fn latest(time: jiff::civil::Time, end: Timestamp) -> Option<Timestamp> {
    let day = end.to_zoned(TimeZone::system()).date();
    let on = |day: jiff::civil::Date| Some(day.to_datetime(time).to_zoned(TimeZone::system()).ok()?.timestamp());
    on(day).filter(|at| *at <= end).or_else(|| on(day.yesterday().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::civil::DateTime = text.parse().unwrap();
        at.to_zoned(TimeZone::system()).unwrap().timestamp()
    }

    fn range_of(from: Option<&str>, to: Option<&str>) -> Option<(Timestamp, Timestamp)> {
        let when = |text: &str| When::Clock(text.parse().unwrap());
        let span = (at("2026-03-01T20:00"), at("2026-03-02T10:00"));
        range(Path::new(""), from.map(when), to.map(when), None, span).ok()
    }

    #[test]
    fn a_time_of_day_is_the_last_that_was_recorded() {
        assert_eq!(range_of(Some("22:00"), None), Some((at("2026-03-01T22:00"), at("2026-03-02T10:00"))));
        assert_eq!(range_of(Some("22:00"), Some("01:00")), Some((at("2026-03-01T22:00"), at("2026-03-02T01:00"))));
        assert_eq!(range_of(Some("09:00"), Some("09:30")), Some((at("2026-03-02T09:00"), at("2026-03-02T09:30"))));
        assert_eq!(range_of(None, Some("08:00")), Some((at("2026-03-01T20:00"), at("2026-03-02T08:00"))));
        assert_eq!(range_of(None, Some("11:00")), None, "before the beginning");
    }
}
