//! Which part of a recording is asked for.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{Problem, Recording, incident};
use crate::cli::{Excerpt, plan::When};

/// The first and the last moment.
type Span = (Timestamp, Timestamp);

impl Recording {
    pub fn range(&self, asked: &Excerpt) -> Result<Span, Problem> {
        if let Some(number) = asked.incident {
            let incidents = incident::all(&self.path)?;
            let incident = incidents.into_iter().find(|incident| incident.number == number);
            let incident = incident.ok_or_else(|| Problem::NoIncident { path: self.path.clone(), number })?;
            return Ok((incident.from, incident.end(&self.path)?));
        }
        range(asked, self.whole()?).ok_or_else(|| self.nothing_then())
    }

    /// Why nothing of it is shown.
    pub fn nothing_then(&self) -> Problem {
        match self.whole() {
            Ok((first, last)) => Problem::NothingThen { path: self.path.clone(), first, last },
            Err(problem) => problem,
        }
    }

    fn whole(&self) -> Result<Span, Problem> {
        self.span()?.ok_or_else(|| Problem::Empty(self.path.clone()))
    }
}

/// None: there is nothing.
fn range(asked: &Excerpt, (first, last): Span) -> Option<Span> {
    let from = match asked.from {
        None => first,
        Some(When::At(at)) => at,
        Some(When::Clock(time)) => latest(time, last).unwrap_or(first),
    };
    let to = match asked.to {
        None => last,
        Some(When::At(at)) => at,
        // The first after the beginning; without one, the last.
        Some(When::Clock(time)) => match asked.from {
            Some(_) => from.checked_add(24.hours()).ok().and_then(|end| latest(time, end)),
            None => latest(time, last),
        }
        .unwrap_or(last),
    };
    (from <= to && from <= last && to >= first).then_some((from, to))
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
        range(&Excerpt { from: from.map(when), to: to.map(when), incident: None }, span)
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
