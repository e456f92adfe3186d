//! What is told of a recording. Entries come in order of time; what is kept of them has bounds.

mod looked;
mod quoted;
mod shares;
mod stretch;
mod told;

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    looked::{Area, Looked},
    quoted::Quoted,
    shares::{Key, Share, Shares, key},
    stretch::Stretch,
    told::Told,
};
use crate::{
    findings::{self, LostTime, track::Tracker},
    record::{Entry, Gap, Head, Mark},
    snapshot::{
        Snapshot,
        changes::Change,
        finding::{Findings, Open},
        oom::Kill,
    },
};

/// Kills, marks, changes of level: the first of many.
const KEPT: usize = 1000;
/// A finding is told when it has held for two seconds, and is over when it has not for three.
const RECENT: usize = 64;

pub struct Story {
    pub head: Head,
    from: Timestamp,
    tracker: Tracker,
    pub told: Vec<Told>,
    pub kills: Vec<Kill>,
    pub marks: Vec<Mark>,
    /// What was found to have changed.
    pub changes: Vec<Change>,
    pub quoted: Quoted,
    /// What the recorder could not keep.
    pub dropped: Vec<Gap>,
    /// Parts of the recording that could not be read.
    pub unreadable: u64,
    /// Times of which nothing was recorded.
    pub gaps: Vec<(Timestamp, Timestamp)>,
    /// How much was measured, whenever that changed.
    pub levels: Vec<(Timestamp, String)>,
    /// Whose time was lost, from the begin of a finding of harm to its end.
    pub lost: Shares,
    /// Of the last intervals, in which a finding may have begun that is told later.
    recent: VecDeque<(Timestamp, Vec<LostTime>)>,
    pub stretches: Vec<Stretch>,
    /// While a finding of harm was told; and in all of the time.
    during: Looked,
    always: Looked,
}

impl Story {
    /// Of what came from that moment on; what was before it, findings that are drawn again may have seen.
    pub fn new(head: Head, from: Timestamp) -> Self {
        let tracker = Tracker::new(head.missing.clone());
        Self {
            head,
            from,
            tracker,
            told: Vec::new(),
            kills: Vec::new(),
            marks: Vec::new(),
            changes: Vec::new(),
            quoted: Quoted::default(),
            dropped: Vec::new(),
            unreadable: 0,
            gaps: Vec::new(),
            levels: Vec::new(),
            lost: Shares::default(),
            recent: VecDeque::new(),
            stretches: Vec::new(),
            during: Looked::default(),
            always: Looked::default(),
        }
    }

    pub fn add(&mut self, entry: Entry) {
        let is_told = entry.at().is_some_and(|at| at >= self.from);
        match entry {
            Entry::Snapshot(snapshot) => self.snapshot(*snapshot, is_told),
            Entry::Kills(kills) => {
                self.tracker.killed(&kills);
                if is_told {
                    self.kills(kills);
                }
            }
            Entry::Mark(mark) if is_told && self.marks.len() < KEPT => self.marks.push(mark),
            Entry::Dropped(gap) if is_told && self.dropped.len() < KEPT => self.dropped.push(gap),
            // Single events are counted in the next snapshot.
            Entry::Events(_) | Entry::Mark(_) | Entry::Dropped(_) => {}
        }
    }

    fn snapshot(&mut self, mut snapshot: Snapshot, is_told: bool) {
        let again = self.tracker.look(&snapshot);
        if !is_told {
            return;
        }
        // As they were told; drawn again where they were not kept.
        let found = snapshot.findings.take().unwrap_or(again);
        let stretch = Stretch::new(&snapshot);
        if let Some(last) = self.stretches.last().filter(|last| last.is_gap_before(&stretch))
            && self.gaps.len() < KEPT
        {
            self.gaps.push((last.to, stretch.from));
        }
        if let Some(oom) = &mut snapshot.oom {
            let freed = std::mem::take(&mut oom.freed);
            self.kills(std::mem::take(&mut oom.kills));
            self.kills(freed);
        }
        let changes = snapshot.changes.iter().flat_map(|changes| changes.changes.iter().rev());
        self.changes.extend(changes.take(KEPT.saturating_sub(self.changes.len())).cloned());
        if let Some(log) = snapshot.log.take() {
            self.quoted.add(log);
        }
        let level = snapshot.cost.level.name();
        if self.levels.last().map_or("full", |(_, last)| last) != level && self.levels.len() < KEPT {
            self.levels.push((snapshot.at, level));
        }
        self.findings(&snapshot, &found, stretch);
    }

    fn findings(&mut self, snapshot: &Snapshot, found: &Findings, mut stretch: Stretch) {
        let lost = findings::lost(snapshot);
        stretch.add(&lost);
        stretch::push(&mut self.stretches, stretch);
        Told::follow(&mut self.told, snapshot, found);
        self.always.add(snapshot, found);
        self.recent.push_back((snapshot.at, lost));
        let harm: Vec<_> = found.open.iter().filter(|open| open.now && open.finding.harm > 0.0).collect();
        if let Some(begin) = harm.iter().map(|open| open.since).min() {
            self.during.add(snapshot, found);
            for (at, lost) in std::mem::take(&mut self.recent).into_iter().filter(|(at, _)| *at > begin) {
                self.lost(at, &lost, &harm);
            }
        }
        let many = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..many);
    }

    /// While these findings held, or before they were told.
    fn lost(&mut self, at: Timestamp, lost: &[LostTime], harm: &[&Open]) {
        for one in lost {
            self.lost.add(&one.who, one.what, one.ns);
            let about = |open: &&&Open| open.since < at && findings::is_about(&open.finding, one.what, &one.who);
            if let Some(told) = harm.iter().find(about).and_then(|open| Told::of(&mut self.told, open)) {
                told.lost.add(&one.who, one.what, one.ns);
            }
        }
    }

    /// A kill may come again, when its memory is free.
    fn kills(&mut self, kills: Vec<Kill>) {
        for kill in kills {
            let same = |it: &Kill| it.at == kill.at && it.victim.who.pid == kill.victim.who.pid;
            match self.kills.iter().position(same) {
                Some(place) => self.kills[place] = kill,
                None if self.kills.len() < KEPT => self.kills.push(kill),
                None => {}
            }
        }
    }

    /// What was recorded of it; none: nothing.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.stretches.first()?.from, self.stretches.last()?.to))
    }

    /// Those of harm, the worst first.
    pub fn harmful(&self) -> Vec<&Told> {
        let mut told: Vec<_> = self.told.iter().filter(|told| told.worst.harm > 0.0).collect();
        told.sort_by(|a, b| b.worst.harm.total_cmp(&a.worst.harm));
        told
    }

    /// What was looked at while harm was done, or else in all of the time.
    pub fn looked(&self) -> &Looked {
        if self.during.intervals > 0 { &self.during } else { &self.always }
    }

    pub fn is_about_harm(&self) -> bool {
        self.during.intervals > 0
    }

    pub fn always(&self) -> &Looked {
        &self.always
    }
}

/// The time that an interval is about.
fn begin(snapshot: &Snapshot) -> Timestamp {
    let interval = SignedDuration::try_from(snapshot.interval).unwrap_or_default();
    snapshot.at.checked_sub(interval).unwrap_or(snapshot.at)
}
