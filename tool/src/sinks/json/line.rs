//! What the lines of all probes share. What is not known is null or absent, with the reason beside it; never 0.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::snapshot::{Cost, Level, Pressure, Snapshot};

pub const NO_RUN_TIME: &str = "programs ran whose run time has not been measured";

/// One interval of one probe.
#[derive(Serialize)]
pub struct Line<'a, P> {
    v: u32,
    r#type: &'static str,
    probe: &'static str,
    at: String,
    interval_ns: u64,
    #[serde(rename = "self")]
    own: Own<'a>,
    pressure: Option<&'a Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pressure_unavailable: Option<&'a str>,
    #[serde(flatten)]
    part: P,
}

impl<'a, P> Line<'a, P> {
    pub fn of(probe: &'static str, snapshot: &'a Snapshot, part: P) -> Self {
        Self {
            v: 1,
            r#type: "snapshot",
            probe,
            at: snapshot.at.to_string(),
            interval_ns: ns(snapshot.interval),
            own: Own::of(&snapshot.cost),
            pressure: snapshot.pressure.as_ref().ok(),
            pressure_unavailable: snapshot.pressure.as_ref().err().map(String::as_str),
            part,
        }
    }
}

/// In the place of a probe's tables.
#[derive(Serialize)]
pub struct Unavailable<'a> {
    pub unavailable: &'a str,
}

/// One thing that happened at one moment.
#[derive(Serialize)]
pub struct Event<E> {
    v: u32,
    r#type: &'static str,
    event: &'static str,
    probe: &'static str,
    at: String,
    #[serde(flatten)]
    what: E,
}

impl<E> Event<E> {
    pub fn of(probe: &'static str, event: &'static str, at: jiff::Timestamp, what: E) -> Self {
        Self { v: 1, r#type: "event", event, probe, at: at.to_string(), what }
    }
}

/// Another level of measuring begins.
#[derive(Serialize)]
pub struct NewLevel<'a> {
    level: String,
    without: &'a [&'static str],
    budget_percent: f64,
    cpu_percent: Option<f64>,
}

impl<'a> NewLevel<'a> {
    pub fn of(cost: &'a Cost) -> Self {
        let Level { budget_percent, without } = &cost.level;
        let cpu_percent = cost.kernel_cpu_percent.map(|_| cost.cpu_percent());
        Self { level: cost.level.name(), without, budget_percent: *budget_percent, cpu_percent }
    }
}

/// A note that somebody made.
#[derive(Serialize)]
pub struct Marked<'a> {
    pub text: &'a str,
}

/// What a recorder could not keep.
#[derive(Serialize)]
pub struct Gap<'a> {
    pub entries: u64,
    pub why: &'a str,
}

#[derive(Serialize)]
struct Own<'a> {
    pid: Option<u32>,
    cpu_percent: Option<f64>,
    user_cpu_percent: f64,
    kernel_cpu_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_cpu_percent_unknown: Option<&'static str>,
    rss_bytes: u64,
    kernel_bytes: u64,
    lost: u64,
    lost_by: BTreeMap<&'a str, u64>,
    /// How much is measured: `full`, or what is left out to keep the budget.
    level: String,
    budget_percent: f64,
}

impl<'a> Own<'a> {
    fn of(cost: &'a Cost) -> Self {
        let kernel = cost.kernel_cpu_percent;
        Self {
            pid: cost.pid,
            cpu_percent: kernel.map(|_| cost.cpu_percent()),
            user_cpu_percent: cost.user_cpu_percent,
            kernel_cpu_percent: kernel,
            kernel_cpu_percent_unknown: kernel.is_none().then_some(NO_RUN_TIME),
            rss_bytes: cost.rss_bytes,
            kernel_bytes: cost.kernel_bytes,
            lost: cost.lost(),
            lost_by: cost.lost.iter().map(|lost| (lost.cause, lost.count)).collect(),
            level: cost.level.name(),
            budget_percent: cost.level.budget_percent,
        }
    }
}

pub fn ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
