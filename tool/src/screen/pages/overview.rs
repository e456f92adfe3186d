//! What matters now: findings, and a line or two for each probe, with its last minutes.

use super::lines::{Item, PageLine, Role, fit_printable, padded, wrapped};
use crate::{
    format,
    screen::{digest, state::Machine},
    sinks::{
        bar,
        overview::{
            findings::{details, ended, rest_in_words, stated},
            rows,
        },
    },
    snapshot::{Snapshot, finding::Findings},
};

/// Columns of the label in front of a probe's rows, and of a finding's age.
const LABEL: usize = 8;
/// Lines of a screen that has room for what findings rest on.
const DETAILED: usize = 34;
/// Those that ended.
const OVER: usize = 3;
/// Of the figure beside its minutes.
const FIGURE: usize = 24;

pub fn lines(of: &Machine, snapshot: &Snapshot) -> Vec<PageLine> {
    let nothing = Findings::default();
    let found = snapshot.findings.as_ref().unwrap_or(&nothing);
    let mut lines = findings(of, found);
    let width = usize::from(of.size.0);
    if lines.is_empty() {
        lines.push(PageLine::of(Role::Strong, "nothing is wrong, as far as was measured"));
    }
    lines.push(PageLine::empty());
    let rest = wrapped(Role::Dim, &rest_in_words(found), width, 2);
    // Findings are never cut; of the probes the least important are left out where there is no room.
    let room = of.room().saturating_sub(lines.len()).max(1);
    let panels: Vec<Vec<PageLine>> =
        rows::LABELS.iter().filter_map(|(probe, label)| panel(of, snapshot, probe, label)).collect();
    let mut used = 0;
    let all = panels.len();
    let mut shown = 0;
    // One line of each first, then what they say besides.
    let each = if panels.iter().map(Vec::len).sum::<usize>() <= room { usize::MAX } else { 1 };
    for panel in panels {
        let panel: Vec<PageLine> = panel.into_iter().take(each).collect();
        if used + panel.len() > room {
            break;
        }
        used += panel.len();
        shown += 1;
        lines.extend(panel);
    }
    if shown < all {
        return lines;
    }
    if used + 1 + rest.len() <= room {
        lines.push(PageLine::empty());
        lines.extend(rest);
    }
    lines
}

fn findings(of: &Machine, found: &Findings) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let mut lines = Vec::new();
    for open in &found.open {
        let role = match open.now {
            true if open.finding.harm > 0.0 => Role::Harm,
            true => Role::Strong,
            false => Role::Plain,
        };
        let item = Item::Finding(open.finding.rule, open.finding.subject.clone());
        lines.extend(wrapped(role, &stated(open), width, LABEL).into_iter().map(|line| line.on(item.clone())));
        // Where there is room for all else as well.
        if of.room() >= DETAILED {
            let details = details(open).into_iter().flat_map(|line| wrapped(Role::Dim, &line, width, LABEL));
            lines.extend(details.map(|line| line.on(item.clone())));
        }
    }
    for open in found.over.iter().take(OVER) {
        let item = Item::Finding(open.finding.rule, open.finding.subject.clone());
        lines.extend(wrapped(Role::Dim, &ended(open), width, LABEL).into_iter().map(|line| line.on(item.clone())));
    }
    for area in &found.unclear {
        lines.extend(wrapped(Role::Plain, &format!("unclear {}: {}", area.area, area.because), width, LABEL));
    }
    lines
}

/// A probe's figure over the last minutes, and its rows.
fn panel(of: &Machine, snapshot: &Snapshot, probe: &'static str, label: &str) -> Option<Vec<PageLine>> {
    let item = Item::Probe(probe);
    let width = usize::from(of.size.0);
    if let Some(why) = snapshot.unavailable(probe) {
        let why = format!("{label:<LABEL$}unavailable: {}", crate::escape::escape(why));
        return Some(wrapped(Role::Dim, &why, width, LABEL).into_iter().map(|line| line.on(item.clone())).collect());
    }
    let values = of.figures(digest::place(probe)?, minutes(width));
    let last = values.last().copied().flatten()?;
    let (most, figure) = figure(probe, last, &values);
    // The newest on the right, wherever the oldest is.
    let minutes = padded(&bar::line(&values, most, values.len()), minutes(width), true);
    let line = PageLine::plain(format!("{label:<LABEL$}")).and(Role::Dim, minutes);
    let line = line.and(Role::Plain, format!("  {}", fit_printable(&figure, FIGURE)));
    let mut lines = vec![line.on(item.clone())];
    for (_, rows) in rows::of(snapshot, probe) {
        for row in rows {
            let text = format!("{:LABEL$}{row}", "");
            lines.extend(wrapped(Role::Plain, &text, width, LABEL + 2).into_iter().map(|line| line.on(item.clone())));
        }
    }
    Some(lines)
}

/// Intervals beside each other.
fn minutes(width: usize) -> usize {
    width.saturating_sub(LABEL + 2 + FIGURE).clamp(8, 60)
}

/// The value at the top of the line, and the last one in words.
fn figure(probe: &str, last: f64, values: &[Option<f64>]) -> (f64, String) {
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    match probe {
        "cpu" => (100.0, format!("{} busy", format::percent(last))),
        "oom" => (100.0, format!("{} in use", format::percent(last))),
        "disk" => (100.0, format!("{} full at most", format::percent(last))),
        "changes" => (highest.max(5.0), format::plural(last as u64, "change", "changes")),
        "io" => (highest.max(1e9), format!("{}/s of waits", format::duration(last as u64))),
        "log" => (highest.max(10.0), format!("{}/s errors in logs", format::rate_of(last))),
        "tcp" => (highest.max(10.0), format!("{}/s sent again", format::rate_of(last))),
        "syscalls" => (highest.max(1e9), format!("{}/s in slow calls", format::duration(last as u64))),
        _ => (highest, format::rate_of(last)),
    }
}
