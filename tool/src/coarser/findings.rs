//! Findings: those of each interval as they were drawn there. What was found in one of them was not ruled out in all.

use crate::{
    snapshot::finding::{Findings, Open, RuledOut, State},
    table::Then,
};

pub fn then(findings: &mut Findings, later: Findings) {
    let Findings { open, over, ruled_out, unclear, not_measured, ledger } = later;
    let earlier = std::mem::take(&mut findings.open);
    let before = |open: &Open| earlier.iter().find(|earlier| is_same(earlier, open));
    findings.open = open.into_iter().map(|open| with(open, before)).collect();
    findings.over.extend(over.into_iter().map(|over| with(over, before)));
    findings.ruled_out = ruled_out.into_iter().filter(|area| has(&findings.ruled_out, area)).collect();
    let unclear_now = std::mem::replace(&mut findings.unclear, unclear);
    let gone: Vec<_> = unclear_now.into_iter().filter(|area| !has(&findings.unclear, area)).collect();
    findings.unclear.extend(gone);
    let more: Vec<_> = not_measured.into_iter().filter(|it| !findings.not_measured.contains(it)).collect();
    findings.not_measured.extend(more);
    findings.ledger.then(ledger);
}

fn is_same(earlier: &Open, later: &Open) -> bool {
    let key = |open: &Open| (open.finding.rule, open.finding.subject.clone(), open.since);
    key(earlier) == key(later)
}

/// One that began in an earlier part has begun in this interval, and held in it if it did in a part of it.
fn with<'a>(open: Open, before: impl Fn(&Open) -> Option<&'a Open>) -> Open {
    match before(&open) {
        Some(earlier) if open.state == State::Ongoing => {
            Open { state: earlier.state, now: open.now | earlier.now, ..open }
        }
        _ => open,
    }
}

fn has(areas: &[RuledOut], area: &RuledOut) -> bool {
    areas.iter().any(|other| other.area == area.area)
}
