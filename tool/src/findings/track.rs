//! From findings of single intervals to ones that begin, go on and end.
//!
//! A finding is told once it has held for two seconds in all: a second's peak is none. It is over once it has not held for some
//! seconds, so that one that comes and goes with each interval stays one.

use std::{collections::VecDeque, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    Scene,
    before_it::{Before, First, Recent},
    look,
    ruled_out::{self, Looked},
};
use crate::snapshot::{
    Snapshot,
    finding::{Finding, Findings, Open, State},
    oom::Kill,
};

/// Two intervals of a second each, as they are in truth.
const HOLDS: Duration = Duration::from_millis(1900);
const OVER: Duration = Duration::from_millis(2900);
/// Kills are remembered this long, and so many.
const KILLS: Duration = Duration::from_secs(600);
const KILLS_KEPT: usize = 64;

pub struct Tracker {
    held: Vec<Held>,
    kills: VecDeque<Kill>,
    changes: Recent,
    /// What cannot be measured here.
    missing: Vec<String>,
}

struct Held {
    finding: Finding,
    before: Before,
    since: Timestamp,
    until: Timestamp,
    /// Time in which it held.
    held: Duration,
    /// Time since it held last.
    absent: Duration,
    told: bool,
    /// In the interval that was looked at last.
    now: bool,
}

impl Tracker {
    pub fn new(missing: Vec<String>) -> Self {
        Self { held: Vec::new(), kills: VecDeque::new(), changes: Recent::default(), missing }
    }

    /// Kills that were shown between two intervals.
    pub fn killed(&mut self, kills: &[Kill]) {
        self.kills.extend(kills.iter().cloned());
        let many = self.kills.len().saturating_sub(KILLS_KEPT);
        self.kills.drain(..many);
    }

    /// What an interval means.
    pub fn look(&mut self, snapshot: &Snapshot) -> Findings {
        if let Some(oom) = &snapshot.oom {
            self.killed(&oom.kills);
        }
        self.note_changes(snapshot);
        let scene = Scene::new(snapshot, &self.kills);
        let (seen, ledger) = look(&scene);
        // One that is still shown, though it did not hold in this interval, speaks of its area, too.
        let shown = self.held.iter().filter(|held| held.told && held.absent + snapshot.interval < OVER);
        let rules: Vec<&str> = shown.map(|held| &held.finding).chain(&seen).map(|finding| finding.rule).collect();
        let Looked { fine: ruled_out, unclear, mut not_measured } = ruled_out::look(&scene, &ledger, &rules);
        // A hook that is missing is also the reason why an area is not known.
        let more: Vec<String> = self.missing.iter().filter(|it| !not_measured.contains(it)).cloned().collect();
        not_measured.extend(more);
        self.kills
            .retain(|kill| snapshot.at.duration_since(kill.at) < SignedDuration::try_from(KILLS).unwrap_or_default());
        let (mut open, mut over) = (self.update(seen, snapshot), Vec::new());
        self.held.retain(|held| {
            let ended = held.absent >= OVER;
            if ended && held.told {
                over.push(held.open(State::Over));
            }
            !ended
        });
        open.sort_by(|a, b| b.finding.harm.total_cmp(&a.finding.harm));
        Findings { open, over, ruled_out, unclear, not_measured, ledger }
    }

    fn note_changes(&mut self, snapshot: &Snapshot) {
        if let Some(changes) = &snapshot.changes {
            self.held.iter_mut().for_each(|held| held.before.add(changes.changes.iter()));
            self.changes.add(&changes.changes, snapshot.at);
        }
    }

    fn update(&mut self, seen: Vec<Finding>, snapshot: &Snapshot) -> Vec<Open> {
        let interval = snapshot.interval;
        // Of what could not be looked at it is not known whether it is over.
        let looked = |finding: &Finding| finding.evidence.iter().all(|one| snapshot.unavailable(one.probe).is_none());
        for held in &mut self.held {
            held.now = false;
            if looked(&held.finding) {
                held.absent += interval;
            }
        }
        for finding in seen {
            let same = |held: &&mut Held| held.finding.rule == finding.rule && held.finding.subject == finding.subject;
            match self.held.iter_mut().find(same) {
                Some(held) => {
                    held.finding = finding;
                    held.held += interval;
                    (held.absent, held.until, held.now) = (Duration::ZERO, snapshot.at, true);
                }
                None => {
                    let since = snapshot.at.checked_sub(SignedDuration::try_from(interval).unwrap_or_default());
                    let since = since.unwrap_or(snapshot.at);
                    self.held.push(Held {
                        finding,
                        before: self.changes.before(First { from: since, to: snapshot.at }),
                        since,
                        until: snapshot.at,
                        held: interval,
                        absent: Duration::ZERO,
                        told: false,
                        now: true,
                    });
                }
            }
        }
        let mut open = Vec::new();
        for held in self.held.iter_mut().filter(|held| held.absent < OVER) {
            if held.told || held.finding.at_once || held.held >= HOLDS {
                let state = if held.told { State::Ongoing } else { State::Started };
                held.told = true;
                open.push(held.open(state));
            }
        }
        open
    }
}

impl Held {
    fn open(&self, state: State) -> Open {
        Open {
            before_it: self.before.named(&self.finding),
            finding: self.finding.clone(),
            state,
            now: self.now,
            since: self.since,
            lasted: self.until.duration_since(self.since).try_into().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::fixture::{hung, quiet},
        snapshot::{Unavailable, finding::State},
    };

    fn tracker() -> Tracker {
        Tracker::new(Vec::new())
    }

    /// The snapshot of the `at`th second.
    fn second(at: i64, snapshot: &Snapshot) -> Snapshot {
        let at = snapshot.at.checked_add(SignedDuration::from_secs(at)).unwrap();
        Snapshot { at, ..snapshot.clone() }
    }

    #[test]
    fn a_finding_begins_goes_on_and_ends() {
        // Of requests older than the run the age is not known: not told at once.
        let (quiet, hung) = (quiet(), hung(None));
        let mut tracker = tracker();
        let mut states = Vec::new();
        for (at, snapshot) in
            [&quiet, &hung, &hung, &hung, &quiet, &hung, &quiet, &quiet, &quiet, &quiet].iter().enumerate()
        {
            let findings = tracker.look(&second(at as i64, snapshot));
            assert!(findings.open.len() + findings.over.len() <= 1);
            let disks_are_fine = findings.ruled_out.iter().any(|area| area.area == "disks");
            assert!(!disks_are_fine || findings.open.is_empty(), "fine beside a finding that is shown");
            let all = findings.open.iter().chain(&findings.over);
            states.push(all.map(|open| (open.state, open.now, open.lasted.as_secs())).next());
        }
        assert_eq!(
            states,
            [
                None,
                None,
                Some((State::Started, true, 2)),
                Some((State::Ongoing, true, 3)),
                Some((State::Ongoing, false, 3)),
                Some((State::Ongoing, true, 5)),
                Some((State::Ongoing, false, 5)),
                Some((State::Ongoing, false, 5)),
                Some((State::Over, false, 5)),
                None,
            ]
        );
    }

    #[test]
    fn a_finding_is_not_over_while_its_probe_is_unavailable() {
        let unavailable = vec![Unavailable { probe: "io", why: "no memory".into() }];
        let blind = Snapshot { io: None, unavailable, ..quiet() };
        let mut tracker = tracker();
        tracker.look(&hung(Some(3_000_000_000)));
        for at in 1..9 {
            let findings = tracker.look(&second(at, &blind));
            assert!(
                findings.over.is_empty() && findings.open.iter().all(|open| !open.now) && !findings.open.is_empty()
            );
        }
        (9..12).for_each(|at| _ = tracker.look(&second(at, &quiet())));
        assert!(tracker.held.is_empty());
    }

    #[test]
    fn a_peak_of_a_second_is_no_finding_and_a_certain_one_is_told_at_once() {
        let mut tracker = tracker();
        assert!(tracker.look(&hung(None)).open.is_empty());
        for at in 1..9 {
            let findings = tracker.look(&second(at, &quiet()));
            assert!(findings.open.is_empty() && findings.over.is_empty());
        }
        let certain = tracker.look(&second(9, &hung(Some(3_000_000_000)))).open;
        assert_eq!(certain.iter().map(|open| open.state).collect::<Vec<_>>(), [State::Started]);
    }

    #[test]
    fn an_interval_of_five_seconds_is_long_enough() {
        let five = Snapshot { interval: Duration::from_secs(5), ..hung(None) };
        assert_eq!(tracker().look(&five).open.len(), 1);
    }
}
