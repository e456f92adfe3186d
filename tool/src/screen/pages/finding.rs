//! A finding: what it says, rests on and leaves open, and who is part of it.

use super::{
    lines::{Item, PageLine, Role, wrapped},
    probe::separate,
    process,
};
use crate::{
    escape::escape,
    format,
    screen::state::Machine,
    sinks::{
        self,
        overview::{
            findings::{before_it, confidence, ended, one, stated},
            rows,
        },
    },
    snapshot::{Snapshot, Who, finding::Open, oom::Kill},
};

/// Columns of the labels.
const LABEL: usize = 12;
/// Processes whose waits and stacks are shown at once.
const SHOWN: usize = 3;

pub fn lines<'a>(of: &Machine, snapshot: &'a Snapshot, rule: &str, subject: &str) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let find = |all: &'a [Open]| all.iter().find(|open| open.finding.rule == rule && open.finding.subject == subject);
    let findings = snapshot.findings.as_ref();
    let open = findings.and_then(|all| find(&all.open));
    let over = findings.and_then(|all| find(&all.over));
    let Some(open) = open.or(over) else {
        return wrapped(Role::Dim, "it is not so in this interval: [ and ] go to where something began", width, 0);
    };
    let finding = &open.finding;
    let (role, statement) = match over.is_none() {
        true if open.now && finding.harm > 0.0 => (Role::Harm, stated(open)),
        true => (Role::Strong, stated(open)),
        false => (Role::Plain, ended(open)),
    };
    let mut lines = wrapped(role, &statement, width, 8);
    lines.push(PageLine::empty());
    let mut say = |label: &str, text: &str| {
        lines.extend(wrapped(Role::Plain, &format!("{label:<LABEL$}{text}"), width, LABEL));
    };
    let since = sinks::values::clock(open.since, &of.view);
    say("since", &format!("{since}, for {} ({})", format::duration(open.lasted.as_nanos() as u64), open.state.name()));
    if finding.harm > 0.0 {
        say("harm", &format!("{} of processes' time lost per second", format::duration((finding.harm * 1e9) as u64)));
    }
    for (at, evidence) in finding.evidence.iter().enumerate() {
        say(if at == 0 { "evidence" } else { "" }, &one(evidence));
    }
    let sure = confidence(finding);
    say("confidence", sure.strip_prefix("confidence ").unwrap_or(&sure));
    for (at, unknown) in finding.unknown.iter().enumerate() {
        say(if at == 0 { "unknown" } else { "" }, unknown);
    }
    if let Some(before) = before_it(open) {
        say("before it", &before);
    }
    // Lines of those who are part of it are among their tables.
    for (at, said) in rows::of(snapshot, "log").into_iter().flat_map(|(_, rows)| rows).enumerate() {
        say(if at == 0 { "logs" } else { "" }, &said);
    }
    say("next", &finding.next);
    people(&mut lines, "because of", &finding.culprits);
    people(&mut lines, "victims", &finding.victims);
    if rule == "oom_kill" {
        for one in of.last_kills() {
            lines.push(PageLine::empty());
            kill(&mut lines, of, &one);
        }
    }
    let pids: Vec<u32> =
        finding.culprits.iter().take(1).chain(&finding.victims).filter_map(|who| who.pid).take(SHOWN).collect();
    let tables = process::tables(of, snapshot, &pids);
    if !tables.is_empty() {
        separate(&mut lines);
        lines.extend(tables);
    }
    lines
}

/// Each can be opened.
fn people(lines: &mut Vec<PageLine>, label: &str, who: &[Who]) {
    for (at, who) in who.iter().enumerate() {
        let cgroup = who.cgroup.as_ref().map_or_else(String::new, |path| format!("  {}", escape(path)));
        let label = if at == 0 { label } else { "" };
        let line = PageLine::plain(format!("{label:<LABEL$}{}", format::name(who))).and(Role::Dim, cgroup);
        lines.push(match who.pid {
            Some(pid) => line.on(Item::Process(pid)),
            None => line,
        });
    }
}

/// As `stillwatch oom` tells it.
pub fn kill(lines: &mut Vec<PageLine>, of: &Machine, kill: &Kill) {
    let mut text = String::new();
    sinks::oom::kill(&mut text, kill, &of.plain());
    let width = usize::from(of.size.0);
    lines.extend(text.lines().flat_map(|line| wrapped(Role::Plain, line, width, LABEL)));
}
