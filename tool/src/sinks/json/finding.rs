//! Findings: a line for each, at each interval in which it is open, and once when it is over; and one for what is fine.

use serde::Serialize;

use super::{
    line::ns,
    row::{Row, Rows},
};
use crate::snapshot::{
    Snapshot, Who,
    changes::Change,
    finding::{self, Findings, Open, RuledOut, Value},
    ledger::Entry,
};

#[derive(Serialize)]
struct Head<'a> {
    v: u32,
    r#type: &'static str,
    rule: &'a str,
    at: String,
    interval_ns: u64,
}

impl<'a> Head<'a> {
    fn of(rule: &'a str, snapshot: &Snapshot) -> Self {
        let (at, interval_ns) = (snapshot.at.to_string(), ns(snapshot.interval));
        Self { v: 1, r#type: "finding", rule, at, interval_ns }
    }
}

#[derive(Serialize)]
pub struct Finding<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    state: &'static str,
    /// It held in this interval.
    now: bool,
    /// From 1, the most harm; absent when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<usize>,
    subject: &'a str,
    since: String,
    lasted_ns: u64,
    statement: &'a str,
    /// Seconds of processes' time lost per second.
    harm: f64,
    evidence: Vec<Evidence<'a>>,
    confidence: &'static str,
    doubts: &'a [String],
    unknown: &'a [String],
    next: &'a str,
    victims: Vec<Row<'a, Who>>,
    culprits: Vec<Row<'a, Who>>,
    before_it: Vec<Row<'a, Change>>,
}

impl<'a> Finding<'a> {
    pub fn all(found: &'a Findings, snapshot: &Snapshot) -> Vec<Self> {
        let open = found.open.iter().enumerate().map(|(at, open)| Self::of(open, Some(at + 1), snapshot));
        open.chain(found.over.iter().map(|open| Self::of(open, None, snapshot))).collect()
    }

    pub fn is(&self, rule: &str, subject: &str) -> bool {
        self.head.rule == rule && self.subject == subject
    }

    fn of(open: &'a Open, rank: Option<usize>, snapshot: &Snapshot) -> Self {
        let finding = &open.finding;
        Self {
            head: Head::of(finding.rule, snapshot),
            state: open.state.name(),
            now: open.now,
            rank,
            subject: &finding.subject,
            since: open.since.to_string(),
            lasted_ns: ns(open.lasted),
            statement: &finding.statement,
            harm: finding.harm,
            evidence: finding.evidence.iter().map(Evidence::of).collect(),
            confidence: finding.confidence(),
            doubts: &finding.doubts,
            unknown: &finding.unknown,
            next: &finding.next,
            victims: finding.victims.iter().map(Row).collect(),
            culprits: finding.culprits.iter().map(Row).collect(),
            before_it: open.before_it.iter().map(Row).collect(),
        }
    }
}

#[derive(Serialize)]
struct Evidence<'a> {
    probe: &'static str,
    what: &'a str,
    value: f64,
    unit: &'static str,
}

impl<'a> Evidence<'a> {
    fn of(evidence: &'a finding::Evidence) -> Self {
        let (value, unit) = match evidence.value {
            Value::Nanoseconds(ns) => (ns as f64, "ns"),
            Value::NanosecondsPerSecond(ns) => (ns as f64, "ns/s"),
            Value::Count(count) => (count as f64, ""),
            Value::PerSecond(rate) => (rate, "1/s"),
            Value::Percent(percent) => (percent, "%"),
            Value::Bytes(bytes) => (bytes as f64, "B"),
        };
        Self { probe: evidence.probe, what: &evidence.what, value, unit }
    }
}

/// What was looked at and is fine, or not clear.
#[derive(Serialize)]
pub struct Areas<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    areas: &'a [RuledOut],
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<&'a [String]>,
}

impl<'a> Areas<'a> {
    pub fn fine(found: &'a Findings, snapshot: &Snapshot) -> Self {
        Self { not_measured: Some(&found.not_measured), ..Self::of("ruled_out", &found.ruled_out, snapshot) }
    }

    pub fn unclear(found: &'a Findings, snapshot: &Snapshot) -> Self {
        Self::of("unclear", &found.unclear, snapshot)
    }

    fn of(rule: &'a str, areas: &'a [RuledOut], snapshot: &Snapshot) -> Self {
        Self { head: Head::of(rule, snapshot), areas, not_measured: None }
    }
}

/// Where the time of processes went.
#[derive(Serialize)]
pub struct Ledger<'a> {
    ledger: Rows<'a, Entry>,
}

impl<'a> Ledger<'a> {
    pub fn of(found: &'a Findings) -> Self {
        Self { ledger: Rows::whole(&found.ledger) }
    }
}
