//! The minutes before a kill, as pictures in lines of text.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    escape::fit,
    sinks::{View, bar, format, who::one},
    snapshot::{
        Who,
        oom::{Kill, LeadUp, Series},
    },
};

/// Characters of a picture.
const WIDTHS: RangeInclusive<usize> = 8..=40;
/// Columns of what stands around it.
const AROUND: usize = 4 + NAME + 1 + 2 + 38;
/// Columns of a name.
const NAME: usize = 23;
/// Processes, and cgroups, that are drawn: the victim, and those that grew by this much at least.
const SHOWN: usize = 5;
const GROWN_BYTES: i64 = 1 << 20;

pub fn draw(text: &mut String, kill: &Kill, view: &View) {
    let Some(lead_up) = kill.lead_up.as_ref().filter(|lead_up| !lead_up.before.is_empty()) else { return };
    let from = lead_up.before.first().copied().unwrap_or(Duration::ZERO);
    *text += &format!("  before    the last {}\n", format::interval(from));
    let width = view.width.saturating_sub(AROUND).clamp(*WIDTHS.start(), *WIDTHS.end());
    // All lines of a column begin at the same place.
    let mut row = |name: &str, values: Vec<Option<f64>>, say: &dyn Fn(f64) -> String| {
        let known = || values.iter().flatten().copied();
        let (Some(first), Some(last)) = (known().next(), known().next_back()) else { return };
        let most = known().fold(0.0, f64::max);
        let ends = format!("{} → {} (most {})", say(first), say(last), say(most));
        *text += &format!("    {name:<NAME$} {}  {ends}\n", bar::line(&values, most, width));
    };
    let bytes = |value: f64| format::bytes(value as u64);
    let whole = |values: &[u64]| values.iter().map(|&value| Some(value as f64)).collect::<Vec<_>>();
    row("available", whole(&lead_up.available), &bytes);
    if lead_up.swap_used.iter().any(|&used| used > 0) {
        row("swap used", whole(&lead_up.swap_used), &bytes);
    }
    let percent = |value: f64| format::percent(value);
    row("pressure, some", lead_up.pressure_some.iter().map(|value| value.map(f64::from)).collect(), &percent);
    if lead_up.stalled_ns.iter().any(|&ns| ns > 0) {
        row("waits for memory", whole(&lead_up.stalled_ns), &|ns| format!("{}/s", format::duration(ns as u64)));
    }
    let victim = kill.victim.who.pid;
    for series in growing(&lead_up.processes, victim) {
        let who = Who { pid: series.pid, comm: series.comm.clone(), ..Who::default() };
        row(&one(&who), values(series), &bytes);
    }
    for series in growing(&lead_up.cgroups, None) {
        let path = series.cgroup.as_deref().unwrap_or(format::UNKNOWN);
        row(&fit(path.trim_start_matches('/').rsplit('/').next().unwrap_or(path), NAME), values(series), &bytes);
    }
    cut_short(text, lead_up, view);
}

fn growing(all: &[Series], victim: Option<u32>) -> impl Iterator<Item = &Series> {
    let shown = move |series: &&Series| series.growth() >= GROWN_BYTES || (victim.is_some() && series.pid == victim);
    all.iter().filter(shown).take(SHOWN)
}

fn values(series: &Series) -> Vec<Option<f64>> {
    series.bytes.iter().map(|value| value.map(|value| value as f64)).collect()
}

fn cut_short(text: &mut String, lead_up: &LeadUp, view: &View) {
    if lead_up.cut_short > 0 {
        let times = format::plural(lead_up.cut_short, "time", "times");
        *text += &view.dim(&format!("    {times} there was not enough time to look at every process"));
        text.push('\n');
    }
}
