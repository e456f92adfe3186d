//! Out of memory, as JSON.

mod kill;

use std::{collections::BTreeMap, io::Result};

use serde::Serialize;

pub use kill::kill;

use super::{
    Lines,
    line::{Event, Line},
    row::{Row, Rows},
};
use crate::{
    sinks::View,
    snapshot::{
        Snapshot,
        oom::{self as shown, Inside, Kind, Limit, Memory, Reclaim, Signal, Total},
    },
};

pub fn add(lines: &mut Lines, oom: &shown::Oom, snapshot: &Snapshot, _: &View) -> Result<()> {
    oom.kills.iter().try_for_each(|told| lines.add(&kill(told)))?;
    oom.freed.iter().try_for_each(|told| lines.add(&kill::freed(told)))?;
    oom.signals.iter().try_for_each(|sent| lines.add(&signal(sent)))?;
    lines.add(&Line::of("oom", snapshot, Oom::of(oom)))
}

#[derive(Serialize)]
struct Oom<'a> {
    memory: &'a Memory,
    reclaim: Rows<'a, Reclaim>,
    in_reclaim: Rows<'a, Inside>,
    /// Waits of everybody, by kind.
    totals: BTreeMap<&'static str, &'a Total>,
    limits: Rows<'a, Limit>,
    /// The kernel's own counters, in this interval.
    vm: &'a BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_log_unavailable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_unavailable: Option<&'a str>,
    /// What could not be done for the tool to survive.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unprotected: &'a [String],
}

impl<'a> Oom<'a> {
    fn of(oom: &'a shown::Oom) -> Self {
        let totals = Kind::ALL.into_iter().zip(&oom.totals).filter(|(_, total)| total.waits > 0);
        Self {
            memory: &oom.memory,
            reclaim: Rows::of(&oom.reclaim),
            in_reclaim: Rows::of(&oom.inside),
            totals: totals.map(|(kind, total)| (kind.name(), total)).collect(),
            limits: Rows::of(&oom.limits),
            vm: &oom.vm,
            kernel_log_unavailable: oom.log_unavailable.as_deref(),
            resident_unavailable: oom.residents_unavailable.as_deref(),
            unprotected: &oom.unprotected,
        }
    }
}

/// SIGKILL that a process sent.
fn signal(signal: &Signal) -> Event<Row<'_, Signal>> {
    Event::of("oom", "sigkill", signal.at, Row(signal))
}
