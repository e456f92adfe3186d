//! What a snapshot has beside its tables, as rows.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use jiff::Timestamp;

use super::{
    Pressure, Snapshot, Who,
    finding::{Findings, Open},
    oom::{Kill, Oom},
    tables::{self, EachTable},
};
use crate::table::{Columns, Known, Tabular, Why, table};

table! {
    /// What was measured in an interval, and what that cost.
    pub struct Interval in "overview.intervals" {
        /// Of our own process, of one CPU.
        user_cpu_percent: f64 = gauge("percent").source("/proc/self/stat");
        /// Of our programs in the kernel, of one CPU; none where those ran that have not been measured.
        kernel_cpu_percent: Option<f64> = gauge("percent");
        /// Our memory.
        rss_bytes: u64 = gauge("bytes");
        /// Memory of our maps.
        kernel_bytes: u64 = gauge("bytes");
        /// What could not be measured, by cause.
        lost: BTreeMap<String, u64> = counter("events").key("lost_by");
        /// `full`, or what is left out to keep the budget.
        level: String = info();
        /// What measuring may cost, of all CPUs together.
        budget_percent: f64 = gauge("percent");
        /// Pressure stall information.
        pressure: Known<Pressure> = info().columns(Pressure::COLUMNS).source("/proc/pressure");
        /// Probes and tables that have no rows because they could not be, or were not, measured, with the reason.
        not_measured: Vec<String> = info();
    }

    /// A finding, at each interval in which it is open, and once when it is over.
    pub struct FindingRow in "overview.findings" {
        /// Its rule (`docs/findings.md`).
        rule: String = label();
        /// With the rule, what makes two findings the same one.
        subject: String = label();
        /// `started`, `ongoing` or `over`.
        state: String = info();
        /// It held in this interval.
        now: bool = flag();
        /// Begin of the first interval in which it held.
        since: Timestamp = label();
        /// From there to the end of the last in which it held.
        lasted: Duration = gauge("ns").key("lasted_ns");
        /// In a sentence.
        statement: String = info();
        /// Time that processes lose.
        harm: f64 = gauge("seconds per second");
        /// `high`, `medium` or `low`.
        confidence: String = info();
        /// Who loses the most time; none: nobody is known to.
        victim: Option<Who> = info().columns(Who::COLUMNS);
        /// Because of whom most of it is; none: nobody, or that is not known.
        culprit: Option<Who> = info().columns(Who::COLUMNS);
    }

    /// A process that the kernel killed for want of memory.
    pub struct Killed in "oom.kills" {
        /// When it was.
        at: Timestamp = label().hidden();
        /// The process.
        victim: Who = label().columns(Who::COLUMNS);
        /// Which process needed memory.
        trigger: Who = label().columns(Who::COLUMNS);
        /// What it had in memory.
        rss_bytes: Option<u64> = gauge("bytes");
        /// The cgroup whose limit was reached; none: memory of the host.
        cgroup: Known<Option<String>> = label();
        /// That limit.
        limit_bytes: Option<u64> = gauge("bytes");
        /// It was ending anyway.
        already_ending: bool = flag();
    }
}

impl Interval {
    pub fn of(snapshot: &Snapshot) -> Self {
        let cost = &snapshot.cost;
        Self {
            user_cpu_percent: cost.user_cpu_percent,
            kernel_cpu_percent: cost.kernel_cpu_percent,
            rss_bytes: cost.rss_bytes,
            kernel_bytes: cost.kernel_bytes,
            lost: cost.lost.iter().map(|lost| (lost.cause.to_owned(), lost.count)).collect(),
            level: cost.level.name(),
            budget_percent: cost.level.budget_percent,
            pressure: match &snapshot.pressure {
                Ok(pressure) => (*pressure).into(),
                Err(why) => Known::Not(Why::Unavailable(why.clone().into())),
            },
            not_measured: not_measured(snapshot),
        }
    }
}

fn not_measured(snapshot: &Snapshot) -> Vec<String> {
    struct Reasons<'a>(&'a Snapshot, Vec<String>);

    impl EachTable for Reasons<'_> {
        type Error = Infallible;

        fn table<T: Tabular>(&mut self, of: tables::Of<T>) -> Result<(), Infallible> {
            let why = of(self.0).and_then(|table| table.why().map(ToString::to_string));
            self.1.extend(why.map(|why| format!("{}: {why}", T::Row::NAME)));
            Ok(())
        }
    }

    let probes = snapshot.unavailable.iter().map(|one| format!("{}: {}", one.probe, one.why));
    let mut reasons = Reasons(snapshot, probes.collect());
    let Ok(()) = tables::measured(&mut reasons);
    reasons.1
}

impl FindingRow {
    pub fn all(findings: &Findings) -> Vec<Self> {
        findings.open.iter().chain(&findings.over).map(Self::of).collect()
    }

    fn of(open: &Open) -> Self {
        let finding = &open.finding;
        Self {
            rule: finding.rule.to_owned(),
            subject: finding.subject.clone(),
            state: open.state.name().to_owned(),
            now: open.now,
            since: open.since,
            lasted: open.lasted,
            statement: finding.statement.clone(),
            harm: finding.harm,
            confidence: finding.confidence().to_owned(),
            victim: finding.victims.first().cloned(),
            culprit: finding.culprits.first().cloned(),
        }
    }
}

impl Killed {
    pub fn all(oom: &Oom) -> Vec<Self> {
        oom.kills.iter().map(Self::of).collect()
    }

    fn of(kill: &Kill) -> Self {
        let scope = kill.scope.as_ref();
        let limit = scope.ok().and_then(|scope| scope.limit.as_ref());
        Self {
            at: kill.at,
            victim: kill.victim.who.clone(),
            trigger: kill.trigger.clone(),
            rss_bytes: kill.victim.memory.map(|held| held.rss()),
            cgroup: match scope {
                Ok(scope) => scope.cgroup.clone().into(),
                Err(why) => Known::Not(Why::Unknown(why.clone())),
            },
            limit_bytes: limit.and_then(|limit| limit.limit_bytes),
            already_ending: kill.already_ending,
        }
    }
}
