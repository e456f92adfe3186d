//! A recording, shown as if it were now.

use std::io;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

use super::{show, unless_enough_seen};
use crate::{
    cli::{
        self, Surroundings,
        plan::{Plan, Replayed, Told, When},
    },
    findings::track::Tracker,
    record::{self, Entry, Problem},
    sinks,
    snapshot::{Snapshot, tcp::Events},
};

/// Findings rest on what was before: kills are remembered for so long.
const BEFORE: SignedDuration = SignedDuration::from_mins(10);

pub fn replay(asked: &Replayed) -> Result<()> {
    let recording = record::open(&asked.path)?;
    let Some(span) = recording.span()? else { return Err(Problem::Empty(asked.path.clone()).into()) };
    let head = recording.head();
    let plan = match cli::replayed(&head.flags, &asked.rest, Surroundings::of_this_process()) {
        Ok(plan) => plan,
        Err(refusal) => refusal.exit(),
    };
    let (from, to) = range(asked, span)?;
    let mut shown = Shown {
        tracker: (asked.told == Told::Again).then(|| Tracker::new(head.missing.clone())),
        plan: &plan,
        events: Events::default(),
    };
    let mut sink = sinks::of(&plan, io::stdout());
    let mut entries = recording.entries(from.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)..=to);
    let mut left = plan.count.unwrap_or(u64::MAX);
    let mut any = false;
    for entry in entries.by_ref() {
        let Some(entry) = shown.of(entry, from) else { continue };
        any = true;
        left -= u64::from(matches!(entry, Entry::Snapshot(_)));
        if let Err(error) = show(&mut *sink, &plan, entry) {
            return unless_enough_seen(Err(error.into()));
        }
        if left == 0 {
            break;
        }
    }
    let skipped = entries.skipped();
    if !skipped.is_nothing() {
        tracing::warn!("not all of the recording can be read: {skipped}");
    }
    if !any {
        return Err(Problem::NothingThen { path: asked.path.clone(), first: span.0, last: span.1 }.into());
    }
    unless_enough_seen(sink.finish().map_err(Into::into))
}

/// What of the entries is shown.
struct Shown<'a> {
    /// Draws findings again.
    tracker: Option<Tracker>,
    plan: &'a Plan,
    /// Told live when they happened, and now with their interval.
    events: Events,
}

impl Shown<'_> {
    /// What is before `from` is only looked at.
    fn of(&mut self, entry: Entry, from: Timestamp) -> Option<Entry> {
        let shown = entry.at().is_some_and(|at| at >= from);
        let entry = match entry {
            Entry::Snapshot(snapshot) => Entry::Snapshot(Box::new(self.snapshot(*snapshot))),
            Entry::Events(events) => {
                if !self.plan.is_live() {
                    self.events.append(events);
                    return None;
                }
                Entry::Events(events)
            }
            Entry::Kills(kills) => {
                if let Some(tracker) = &mut self.tracker {
                    tracker.killed(&kills);
                }
                self.plan.oom.as_ref()?;
                Entry::Kills(kills)
            }
            other => other,
        };
        shown.then_some(entry)
    }

    fn snapshot(&mut self, mut snapshot: Snapshot) -> Snapshot {
        if let Some(tracker) = self.tracker.as_mut().filter(|_| snapshot.findings.is_some()) {
            snapshot.findings = Some(tracker.look(&snapshot));
        }
        if let Some(tcp) = &mut snapshot.tcp {
            let mut events = std::mem::take(&mut self.events);
            events.append(std::mem::take(&mut tcp.events));
            tcp.events = events;
        }
        if !self.plan.overview {
            snapshot.findings = None;
            let probes = self.plan.probes();
            snapshot.unavailable.retain(|one| probes.contains(&one.probe));
            macro_rules! forget {
                ($($probe:ident: $_part:ident),*) => {
                    $(if self.plan.$probe.is_none() {
                        snapshot.$probe = None;
                    })*
                };
            }
            probes!(forget);
        }
        snapshot
    }
}

/// The first and the last moment that are asked for.
fn range(asked: &Replayed, (first, last): (Timestamp, Timestamp)) -> Result<(Timestamp, Timestamp), Problem> {
    if let Some(number) = asked.incident {
        let incidents = record::incidents(&asked.path)?;
        let incident = incidents.into_iter().find(|incident| incident.number == number);
        let Some(incident) = incident else { return Err(Problem::NoIncident { path: asked.path.clone(), number }) };
        return Ok((incident.from, if incident.over { incident.to } else { last }));
    }
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
    if from > to || from > last || to < first {
        return Err(Problem::NothingThen { path: asked.path.clone(), first, last });
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
    use std::path::PathBuf;

    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::civil::DateTime = text.parse().unwrap();
        at.to_zoned(TimeZone::system()).unwrap().timestamp()
    }

    fn range_of(from: Option<&str>, to: Option<&str>) -> Option<(Timestamp, Timestamp)> {
        let when = |text: &str| When::Clock(text.parse().unwrap());
        let asked = Replayed {
            path: PathBuf::new(),
            from: from.map(when),
            to: to.map(when),
            incident: None,
            told: Told::Again,
            rest: Vec::new(),
        };
        range(&asked, (at("2026-03-01T20:00"), at("2026-03-02T10:00"))).ok()
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
