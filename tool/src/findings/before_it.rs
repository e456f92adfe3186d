//! What had changed when a finding began: it is named beside it, and never as its cause.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::snapshot::{
    changes::{Change, ChangeKind},
    finding::Finding,
};

/// So long before it.
const MINUTES: Duration = Duration::from_secs(600);
/// Changes that are remembered for findings to come, and for each that is there.
const KEPT: usize = 1024;
const OF_EACH: usize = 64;
/// Those that are named, and of one kind: an upgrade of a package writes many files, which would hide all else.
const NAMED: usize = 5;
const OF_A_KIND: usize = 2;

/// The changes of the last minutes.
#[derive(Default)]
pub struct Recent(VecDeque<Change>);

impl Recent {
    /// The latest of them are first, as in their table.
    pub fn add(&mut self, changes: &[Change], now: Timestamp) {
        self.0.retain(|known| is_within(known.at, now));
        self.0.extend(changes.iter().rev().filter(|change| is_within(change.at, now)).cloned());
        let many = self.0.len().saturating_sub(KEPT);
        self.0.drain(..many);
    }

    pub fn before(&self, first: First) -> Before {
        let mut before = Before { first, changes: Vec::new() };
        before.add(self.0.iter());
        before
    }
}

fn is_within(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= SignedDuration::try_from(2 * MINUTES).unwrap_or_default()
}

/// The first interval in which a finding held.
#[derive(Clone, Copy)]
pub struct First {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The changes of the minutes before a finding, and of its first interval: when in that it began is not known.
pub struct Before {
    first: First,
    changes: Vec<Change>,
}

impl Before {
    /// Those that are found later were so, too.
    pub fn add<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        let First { from, to } = self.first;
        let minutes = SignedDuration::try_from(MINUTES).unwrap_or_default();
        let fits = |change: &&Change| {
            let earliest = change.after.unwrap_or(change.at);
            earliest <= to && from.duration_since(change.at) <= minutes
        };
        self.changes.extend(changes.filter(fits).cloned());
        if self.changes.len() > OF_EACH {
            self.changes.sort_by_key(|change| Reverse(change.at));
            self.changes.truncate(OF_EACH);
        }
    }

    /// Those of whom the finding is about first, and of them the last.
    pub fn named(&self, finding: &Finding) -> Vec<Change> {
        let mut changes: Vec<&Change> = self.changes.iter().collect();
        changes.sort_by_key(|change| (!is_own(change, finding), Reverse(change.at)));
        let mut kinds: BTreeMap<ChangeKind, usize> = BTreeMap::new();
        let is_one_of_few = |change: &&Change| {
            let kind = kinds.entry(change.kind).or_default();
            *kind += 1;
            *kind <= OF_A_KIND
        };
        changes.into_iter().filter(is_one_of_few).take(NAMED).cloned().collect()
    }
}

/// Of its processes, their cgroups, or of what it is about.
fn is_own(change: &Change, finding: &Finding) -> bool {
    let of = |who: &crate::snapshot::Who| {
        finding.victims.iter().chain(&finding.culprits).any(|one| {
            let cgroup = who.cgroup.is_some() && one.cgroup == who.cgroup;
            cgroup || who.pid.is_some() && one.pid == who.pid
        })
    };
    change.who.as_ref().is_some_and(of) || finding.subject == change.what
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::fixture::change,
        sinks::sample::who,
        snapshot::changes::{ChangeKind, Did},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_366_400 + second).unwrap()
    }

    fn file(name: &str, second: i64) -> Change {
        change(ChangeKind::File, Did::Written, name, at(second))
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.what.as_str()).collect()
    }

    const FIRST: fn() -> First = || First { from: at(1000), to: at(1001) };

    #[test]
    fn of_ten_minutes_the_last_are_named_and_its_own_before_them() {
        let link = |name: &str, second| Change { kind: ChangeKind::Link, ..file(name, second) };
        let mut recent = Recent::default();
        let own = Change { who: Some(who(7, "app", "/web")), ..file("own", 500) };
        let package = Change { kind: ChangeKind::Package, ..file("package", 400) };
        let early = Change { kind: ChangeKind::Module, ..file("too early", 399) };
        recent.add(
            &[file("later", 1002), link("eth0", 1001), link("eth1", 1000), file("a", 998), own, link("sda", 410)],
            at(1003),
        );
        recent.add(&[file("b", 700), file("c", 650), package, early], at(1004));
        let finding = Finding { subject: "sda".into(), victims: vec![who(9, "other", "/web")], ..Finding::default() };
        // Two of a kind.
        assert_eq!(names(&recent.before(FIRST()).named(&finding)), ["own", "sda", "eth0", "a", "package"]);
        // What lies between two looks may have been before it.
        let between = Change { after: Some(at(1000)), ..file("between", 1009) };
        let mut before = recent.before(FIRST());
        before.add([&between, &Change { after: Some(at(1002)), ..between.clone() }].into_iter());
        let named = before.named(&Finding::default());
        assert_eq!(names(&named), ["between", "eth0", "eth1", "a", "package"]);
    }

    #[test]
    fn what_is_remembered_has_bounds() {
        let mut recent = Recent::default();
        let many: Vec<Change> = (0..KEPT as i64 + 7).map(|number| file(&number.to_string(), 990)).collect();
        recent.add(&many, at(1000));
        assert_eq!((recent.0.len(), recent.0[0].what.clone()), (KEPT, (KEPT - 1).to_string()));
        assert_eq!(recent.before(FIRST()).changes.len(), OF_EACH);
        recent.add(&[], at(990 + 2 * 600 + 1));
        assert!(recent.0.is_empty());
    }
}
