//! Who waits because of whom: for disks, for CPUs, and as findings have it.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Page,
    lines::{Item, PageLine, Role, fit_printable, padded, wrapped},
    probe::separate,
};
use crate::{
    escape::escape,
    format,
    screen::state::Machine,
    sinks::{self, values::Show},
    snapshot::{Snapshot, Who, io::Blame},
    table::{AnyRow, Known, Why},
};

/// Columns of the time that is lost, and of who makes it so.
const TIME: usize = 8;
const WHO: usize = 26;

/// A part of somebody's wait.
struct Because {
    victim: Who,
    culprit: Who,
    lost_ns: u64,
    /// The culprit, and how it came to be one, in words.
    by: String,
    how: String,
}

pub fn lines(of: &Machine, snapshot: &Snapshot) -> Vec<PageLine> {
    let mut held = disks(of, snapshot);
    held.extend(cpus(of, snapshot));
    let more = findings(of, snapshot, &held);
    held.extend(more);
    let mut victims: Vec<(&Who, Vec<&Because>)> = Vec::new();
    for one in &held {
        match victims.iter_mut().find(|(who, _)| who.pid == one.victim.pid) {
            Some((_, all)) => all.push(one),
            None => victims.push((&one.victim, vec![one])),
        }
    }
    let lost = |all: &[&Because]| all.iter().map(|one| one.lost_ns).sum::<u64>();
    victims.sort_by_key(|(who, all)| (Reverse(lost(all)), who.pid));
    let top = of.settings.top;
    let mut lines = Vec::new();
    for (who, all) in victims.iter().take(top) {
        separate(&mut lines);
        victim(&mut lines, of, snapshot, who, all);
    }
    if victims.len() > top {
        lines.push(PageLine::dim(format!("{} more (+ shows)", victims.len() - top)));
    }
    if lines.is_empty() {
        lines.push(PageLine::of(Role::Strong, "nobody is known to have waited because of somebody"));
    }
    let width = usize::from(of.size.0);
    for (what, why) in unknown(snapshot) {
        lines.extend(wrapped(Role::Dim, &format!("waits for {what}: {}", escape(&why.to_string())), width, 2));
    }
    lines
}

fn victim(lines: &mut Vec<PageLine>, of: &Machine, snapshot: &Snapshot, who: &Who, all: &[&Because]) {
    let width = usize::from(of.size.0);
    let per_second = |ns| format::time_rate(ns, snapshot.interval);
    let lost: u64 = all.iter().map(|one| one.lost_ns).sum();
    let waits = if lost > 0 { format!("  waits {}/s", per_second(lost)) } else { String::new() };
    let text = format::name(who) + &waits;
    let cgroup = who.cgroup.as_ref().map_or_else(String::new, |path| format!("  {}", escape(path)));
    let line = PageLine::of(Role::Strong, fit_printable(&text, width)).and(Role::Dim, cgroup);
    lines.push(item(line, who.pid, who.pid, ""));
    let mut all = all.to_vec();
    all.sort_by_key(|one| Reverse(one.lost_ns));
    for one in all.iter().take(of.settings.top) {
        let share = format::percent(one.lost_ns as f64 * 100.0 / lost.max(1) as f64);
        let time = if one.lost_ns > 0 { per_second(one.lost_ns) + "/s" } else { String::new() };
        let share = if one.lost_ns > 0 { share } else { String::new() };
        let by = padded(&one.by, WHO, false);
        let text = format!("  {share:>4}  {time:>TIME$}  {by}  {}", one.how);
        lines.push(item(PageLine::plain(fit_printable(&text, width)), who.pid, one.culprit.pid, &one.how));
    }
    if all.len() > of.settings.top {
        lines.push(PageLine::dim(format!("  {} more (+ shows)", all.len() - of.settings.top)));
    }
}

/// What is known of a process by its number can be opened.
fn item(line: PageLine, victim: Option<u32>, pid: Option<u32>, how: &str) -> PageLine {
    let Some(pid) = pid else { return line };
    line.on(Item::Part { of: victim, pid, how: how.to_owned() })
}

/// Each victim's time is split over those who had the disk.
fn disks(of: &Machine, snapshot: &Snapshot) -> Vec<Because> {
    let Some(io) = &snapshot.io else { return Vec::new() };
    let (Some(stalled), Some(causes)) = (io.stalled.value(), io.caused_by.value()) else { return Vec::new() };
    let blame = match &io.blame {
        Some(blame) => blame.to_vec(),
        None => io.blamed(stalled.iter(), || causes.iter()),
    };
    let show = Show { view: &of.view, interval: snapshot.interval };
    let words =
        |row: &dyn AnyRow, name| sinks::own(row.any(), name, &show).map_or_else(String::new, |it| it.into_text());
    let blame: Vec<Blame> = blame.into_iter().filter(|row| of.settings.filter.has(row)).collect();
    let mut all = others(&blame);
    let held = blame.into_iter().map(|row| Because {
        by: match row.culprit.pid {
            Some(_) => format::name(&row.culprit),
            None => words(&row, "owner"),
        },
        how: {
            let why = row.culprit.unknown.as_ref().map_or_else(String::new, |why| format!(": {}", escape(why)));
            format!("{}: {}{why}", escape(&row.device), words(&row, "how"))
        },
        lost_ns: row.blamed_ns,
        victim: row.victim,
        culprit: row.culprit,
    });
    all.extend(held);
    all
}

/// Parts of waits whose rows are not shown: of a filter, or beyond what is kept.
fn others(blame: &[Blame]) -> Vec<Because> {
    let mut left: BTreeMap<(Option<u32>, &str), (&Blame, u64)> = BTreeMap::new();
    for row in blame {
        let (_, left) = left.entry((row.victim.pid, &row.device)).or_insert((row, row.wait_ns));
        *left = left.saturating_sub(row.blamed_ns);
    }
    // Shares are rounded.
    let left = left.into_values().filter(|(row, left)| *left > row.wait_ns / 100);
    let held = left.map(|(row, lost_ns)| Because {
        victim: row.victim.clone(),
        culprit: Who::default(),
        lost_ns,
        by: "others".to_owned(),
        how: format!("{}: not shown here", escape(&row.device)),
    });
    held.collect()
}

/// Who had the CPU.
fn cpus(of: &Machine, snapshot: &Snapshot) -> Vec<Because> {
    let rows = snapshot.cpu.iter().flat_map(|cpu| &cpu.waited).filter(|row| of.settings.filter.has(*row));
    let held = rows.filter_map(|row| {
        let Known::Value(Some(culprit)) = &row.behind else { return None };
        Some(Because {
            victim: row.who.clone(),
            culprit: culprit.clone(),
            lost_ns: row.lost_ns,
            by: format::name(culprit),
            how: format!("CPU {}: had it meanwhile", row.cpu),
        })
    });
    held.collect()
}

/// Those that are in none of the tables.
fn findings(of: &Machine, snapshot: &Snapshot, known: &[Because]) -> Vec<Because> {
    let mut held = Vec::new();
    if !of.settings.filter.is_empty() {
        return held;
    }
    for open in snapshot.findings.iter().flat_map(|found| &found.open).filter(|open| open.now) {
        let finding = &open.finding;
        let name = super::name(&Page::Finding(finding.rule, finding.subject.clone()));
        let pairs = finding.victims.iter().flat_map(|victim| finding.culprits.iter().map(move |by| (victim, by)));
        for (victim, culprit) in pairs {
            if !known.iter().any(|one| one.victim.pid == victim.pid && one.culprit.pid == culprit.pid) {
                held.push(Because {
                    victim: victim.clone(),
                    culprit: culprit.clone(),
                    lost_ns: 0,
                    by: format::name(culprit),
                    how: format!("finding: {name}"),
                });
            }
        }
    }
    held
}

/// What is not measured is not nobody's.
fn unknown(snapshot: &Snapshot) -> Vec<(&'static str, &Why)> {
    let io = snapshot.io.as_ref();
    let disks = io.and_then(|io| io.stalled.why().or_else(|| io.caused_by.why()));
    disks.map(|why| ("disks", why)).into_iter().collect()
}
