//! A recording, shown as if it were now.

mod longer;
mod tail;
#[cfg(test)]
mod tests;

use std::{io, time::Duration};

use anyhow::Result;
use jiff::Timestamp;

use self::longer::Longer;
use self::tail::Tail;
use super::{show, unless_enough_seen};
use crate::{
    cli::{
        self, Refusal, Replay, Surroundings,
        plan::{Plan, Told},
    },
    findings::track::Tracker,
    format,
    record::{self, Entry, Recording, Skipped},
    screen::Screen,
    sinks,
    snapshot::{Snapshot, Who, tcp::Events},
};

pub fn replay(asked: &Replay) -> Result<()> {
    let recording = record::open(&asked.path)?;
    let head = recording.head();
    let plan = cli::replayed(&head.flags, &asked.rest, Surroundings::of_this_process())?;
    not_shorter(plan.interval, head.interval)?;
    let range = recording.range(&asked.excerpt)?;
    tell_what_lacks(&recording);
    let found = if asked.excerpt.incident.is_some() && plan.log.is_some() { found(&recording, range) } else { vec![] };
    let mut shown = Shown {
        tracker: (asked.findings == Told::Again).then(|| Tracker::new(head.missing.clone())),
        plan: &plan,
        found,
        events: Events::default(),
    };
    if plan.screen {
        let grows = asked.excerpt.to.is_none() && asked.excerpt.incident.is_none();
        return on_screen(&recording, range, grows, shown);
    }
    let mut sink = sinks::of(&plan, io::stdout());
    let mut entries = recording.entries_and_before(range);
    let mut left = plan.count.unwrap_or(u64::MAX);
    let mut any = false;
    for entry in shown.all(entries.by_ref(), range.0) {
        any = true;
        left -= u64::from(matches!(entry, Entry::Snapshot(_)));
        if let Err(error) = show(&mut *sink, &plan, entry) {
            return unless_enough_seen(Err(error.into()));
        }
        if left == 0 {
            break;
        }
    }
    tell(&entries.skipped());
    if !any {
        return Err(recording.nothing_then().into());
    }
    unless_enough_seen(sink.finish().map_err(Into::into))
}

/// The whole of it, to go back and forth in, and what is still written.
fn on_screen(recording: &Recording, range: (Timestamp, Timestamp), grows: bool, mut shown: Shown) -> Result<()> {
    let plan = shown.plan;
    let mut entries = recording.entries_and_before(range);
    let mut tail = Tail::of(recording);
    let read = entries.by_ref().inspect(|entry| tail.pass(entry));
    let mut wanted = shown.all(read, range.0);
    // What cannot be read is said before the terminal is taken.
    let Some(first) = wanted.next() else { return Err(recording.nothing_then().into()) };
    let mut screen = Screen::open(plan, recording.head().clone(), true)?;
    let mut over = false;
    for entry in std::iter::once(first).chain(wanted) {
        over = !screen.load(&entry)? || screen.is_over();
        if over {
            break;
        }
    }
    if !over {
        screen.loaded();
        if grows {
            tail.follow(&mut screen, &mut |entry| shown.of(entry, range.0))?;
        } else {
            screen.wait();
        }
    }
    drop(screen);
    tell(&entries.skipped());
    Ok(())
}

/// What lies between two looks is not in the recording.
fn not_shorter(asked: Duration, recorded: Duration) -> Result<(), Refusal> {
    let refused = || {
        let [asked, recorded] = [asked, recorded].map(|it| format::duration(it.as_nanos() as u64));
        Refusal::new(format!(
            "it was recorded every {recorded}, which is not shown every {asked}: give a longer INTERVAL, or none"
        ))
    };
    if asked.is_zero() || asked >= recorded { Ok(()) } else { Err(refused()) }
}

/// Of an earlier version, columns that this one has: they are not known, and where there is no word for that, none or 0.
fn tell_what_lacks(recording: &Recording) {
    let Ok(written) = recording.words() else { return };
    let lacks = record::lacking(&written);
    if !lacks.is_empty() {
        tracing::warn!("not recorded by stillwatch {}: {}", recording.head().version, lacks.join(", "));
    }
}

fn tell(skipped: &Skipped) {
    if !skipped.is_nothing() {
        tracing::warn!("not all of the recording can be read: {skipped}");
    }
}

/// Whom findings of that time name.
fn found(recording: &Recording, (from, to): (Timestamp, Timestamp)) -> Vec<Who> {
    let mut found = Vec::new();
    for entry in recording.entries(from..=to) {
        let Entry::Snapshot(snapshot) = entry else { continue };
        for open in snapshot.findings.into_iter().flat_map(|findings| findings.open) {
            for who in open.finding.victims.into_iter().chain(open.finding.culprits) {
                if !found.contains(&who) {
                    found.push(who);
                }
            }
        }
    }
    found
}

/// What of the entries is shown.
struct Shown<'a> {
    /// Draws findings again.
    tracker: Option<Tracker>,
    plan: &'a Plan,
    /// Whose lines of logs come first.
    found: Vec<Who>,
    /// Told live when they happened, and now with their interval.
    events: Events,
}

impl Shown<'_> {
    /// At the intervals that are asked for.
    fn all(&mut self, entries: impl Iterator<Item = Entry>, from: Timestamp) -> impl Iterator<Item = Entry> {
        let (interval, found) = (self.plan.interval, self.found.clone());
        let longer = Longer::new(entries.filter_map(move |entry| self.of(entry, from)), interval);
        longer.map(move |mut entry| {
            if let Entry::Snapshot(snapshot) = &mut entry
                && let Some(log) = &mut snapshot.log
            {
                log.first_of(&found.iter().collect::<Vec<_>>());
            }
            entry
        })
    }

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
