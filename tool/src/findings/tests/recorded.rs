//! What is said of intervals that were recorded while something was wrong (`tests/recorded/README.md`).

use std::{collections::BTreeSet, fmt::Write};

use crate::{
    findings::track::Tracker,
    snapshot::{
        Snapshot,
        finding::{Finding, State},
    },
};

struct Right {
    record: &'static str,
    rule: &'static str,
    /// Names of the processes whose time is lost, and of those because of whom.
    victim: &'static str,
    culprit: Option<&'static str>,
    /// May never be ruled out.
    area: &'static str,
}

const RIGHT: &[Right] = &[];

fn read(record: &str) -> Vec<Snapshot> {
    record.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn has(list: &[crate::snapshot::Who], comm: &str) -> bool {
    list.iter().any(|who| who.comm.as_deref() == Some(comm))
}

#[test]
fn what_was_wrong_is_said_and_nothing_else() {
    for right in RIGHT {
        let mut tracker = Tracker::new(Vec::new());
        let (mut told, mut ruled_out) = (String::new(), BTreeSet::new());
        let mut first: Option<Finding> = None;
        for snapshot in read(right.record) {
            let findings = tracker.look(&snapshot);
            for open in findings.open.iter().filter(|open| matches!(open.state, State::Started)) {
                writeln!(told, "{}: {}", open.finding.rule, open.finding.statement).unwrap();
                first.get_or_insert_with(|| open.finding.clone());
            }
            ruled_out.extend(findings.ruled_out.iter().map(|row| row.area));
        }
        let found = first.unwrap_or_else(|| panic!("{}: nothing is told", right.record));
        assert_eq!(found.rule, right.rule, "{}: {told}", right.record);
        assert!(has(&found.victims, right.victim), "{}: {:?}", right.record, found.victims);
        assert!(right.culprit.is_none_or(|comm| has(&found.culprits, comm)), "{}: {:?}", right.record, found.culprits);
        assert!(!has(&found.culprits, right.victim) || right.culprit == Some(right.victim), "{}", right.record);
        assert!(!ruled_out.contains(right.area), "{}: {} is ruled out", right.record, right.area);
        insta::assert_snapshot!(right.record, told);
    }
}
