//! The `cpu` probe's part of a line.

use std::{collections::BTreeMap, io::Result};

use serde::Serialize;

use super::{
    Lines,
    line::{Line, ns},
    row::{Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        cpu::{self, Interrupt, Processor, Running, RunningMean, Scheduler, Throttled, Waited, Waiting, WaitsBy},
    },
};

pub fn add(lines: &mut Lines, cpu: &cpu::Cpu, snapshot: &Snapshot, view: &View) -> Result<()> {
    lines.add(&Line::of("cpu", snapshot, Cpu::of(cpu, view)))
}

#[derive(Serialize)]
struct Cpu<'a> {
    #[serde(flatten)]
    scheduler: Row<'a, Scheduler>,
    waited_over_ns: u64,
    waited: Rows<'a, Waited>,
    waiting: Option<Rows<'a, Waiting>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_unknown: Option<String>,
    running: Option<Rows<'a, Running>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_unknown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_mean: Option<Row<'a, RunningMean>>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Rows<'a, WaitsBy>>,
    throttled: Option<Rows<'a, Throttled>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled_unknown: Option<String>,
    cpus: Rows<'a, Processor>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupts: Option<Rows<'a, Interrupt>>,
    softirqs: BTreeMap<&'a str, u64>,
}

impl<'a> Cpu<'a> {
    fn of(cpu: &'a cpu::Cpu, view: &View) -> Self {
        Self {
            scheduler: Row(&cpu.scheduler),
            waited_over_ns: ns(view.slow_waits),
            waited: Rows::of(&cpu.waited),
            waiting: cpu.waiting.value().map(Rows::of),
            waiting_unknown: cpu.waiting.why().map(ToString::to_string),
            running: cpu.running.value().map(Rows::of),
            running_unknown: cpu.running.why().map(ToString::to_string),
            running_mean: cpu.running_mean.as_ref().map(Row),
            by: cpu.by.as_ref().map(Rows::of),
            throttled: cpu.throttled.value().map(Rows::of),
            throttled_unknown: cpu.throttled.why().map(ToString::to_string),
            cpus: Rows::whole(&cpu.processors),
            interrupts: cpu.interrupts.as_deref().map(Rows::whole),
            softirqs: cpu.softirqs.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
        }
    }
}
