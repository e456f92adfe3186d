//! What is said of intervals that were recorded while something was wrong (`tests/recorded/README.md`).

use std::{collections::BTreeSet, fmt::Write};

use crate::{findings::track::Tracker, snapshot::Snapshot};

/// A situation's rule, the area that may never be ruled out while it lasts, and the record.
type Right = (&'static str, &'static str, &'static str);

macro_rules! recorded {
    ($($rule:literal: $area:literal),* $(,)?) => {
        &[$(($rule, $area, include_str!(concat!("../../../../tests/recorded/", $rule, ".jsonl")))),*]
    };
}

const RIGHT: &[Right] = recorded! {
    "accept_queue": "accept queues",
    "connects_failing": "network",
    "cpu_saturated": "CPU",
    "device_saturated": "disks",
    "dirty_throttling": "disks",
    "failing_calls": "system calls",
    "io_hung": "disks",
    "memory_stall": "memory",
    "quota": "CPU",
    "retransmits": "network",
    "slow_calls": "system calls",
    "softirq": "CPU",
    "stuck_tasks": "system calls",
    "sync_stall": "disks",
};

#[test]
fn what_was_wrong_is_said_and_nothing_else() {
    for &(rule, area, record) in RIGHT {
        let mut tracker = Tracker::new(Vec::new());
        let mut told = String::new();
        let mut rules = BTreeSet::new();
        for (at, line) in record.lines().enumerate() {
            let snapshot: Snapshot = serde_json::from_str(line).unwrap();
            let findings = tracker.look(&snapshot);
            let mut wrong = false;
            for open in findings.open.iter().filter(|open| open.finding.harm > 0.0) {
                wrong = true;
                rules.insert(open.finding.rule);
                writeln!(told, "{at}: {}: {}", open.finding.rule, open.finding.statement).unwrap();
            }
            for row in findings.ruled_out.iter().filter(|_| wrong) {
                writeln!(told, "   fine: {} ({})", row.area, row.because).unwrap();
                assert_ne!(row.area, area, "{rule}: ruled out in interval {at}: {told}");
            }
        }
        assert!(rules.contains(rule), "{rule}: {told}");
        insta::assert_snapshot!(rule, told);
    }
}
