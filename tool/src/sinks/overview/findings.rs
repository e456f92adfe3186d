//! Findings as lines: the statement of each, and of the worst ones what it rests on, as far as there is room.

use std::time::Duration;

use super::{INDENT, lasted, wrapped};
use crate::{
    escape::escape,
    sinks::{View, format},
    snapshot::{
        changes::Change,
        finding::{Evidence, Finding, Findings, Open},
    },
};

/// Statements; the rest is only counted.
const STATEMENTS: usize = 6;
/// Those that ended.
const OVER: usize = 3;

/// At most `room` lines, unless the terminal is so narrow that one takes several.
pub fn lines(found: &Findings, ruled_out: bool, room: usize, view: &View) -> Vec<String> {
    let mut last: Vec<String> = found.over.iter().take(OVER).flat_map(|open| dim(&ended(open), view)).collect();
    let more = |all: &[Open], shown: usize, words: [&str; 2]| {
        let more = all.len().saturating_sub(shown) as u64;
        (more > 0).then(|| view.dim(&format!("{INDENT}{} (--json has them)", format::plural(more, words[0], words[1]))))
    };
    last.extend(more(&found.over, OVER, ["more is over", "more are over"]));
    last.splice(0..0, more(&found.open, STATEMENTS, ["more finding", "more findings"]));
    last.extend(
        found.unclear.iter().flat_map(|area| wrapped(&format!("unclear {}: {}", area.area, area.because), view)),
    );
    last.extend(ruled_out.then(|| rest(found, view)).into_iter().flatten());
    let mut blocks: Vec<Vec<String>> = found.open.iter().take(STATEMENTS).map(|open| statement(open, view)).collect();
    let mut spare = room.saturating_sub(last.len() + blocks.iter().map(Vec::len).sum::<usize>());
    for (block, open) in blocks.iter_mut().zip(&found.open) {
        let details: Vec<String> = details(open).iter().flat_map(|line| dim(line, view)).collect();
        if details.len() <= spare {
            spare -= details.len();
            block.extend(details);
        }
    }
    blocks.into_iter().flatten().chain(last).collect()
}

fn dim(line: &str, view: &View) -> Vec<String> {
    wrapped(line, view).iter().map(|line| view.dim(line)).collect()
}

fn statement(open: &Open, view: &View) -> Vec<String> {
    let lines = wrapped(&stated(open), view);
    lines.into_iter().map(|line| if open.now { view.bold(&line) } else { line }).collect()
}

/// `! 12s   sda is saturated: …`
pub fn stated(open: &Open) -> String {
    let not_now = if open.now { "" } else { " (not in this interval)" };
    format!("! {:<6}{}{not_now}", lasted(open.lasted), open.finding.statement)
}

pub fn ended(open: &Open) -> String {
    format!("over    after {}: {}", lasted(open.lasted), open.finding.statement)
}

/// What a finding rests on and leaves open.
pub fn details(open: &Open) -> Vec<String> {
    let finding = &open.finding;
    let evidence: Vec<String> = finding.evidence.iter().map(one).collect();
    let mut lines = vec![format!("{INDENT}{}: {}", confidence(finding), evidence.join(", "))];
    lines.extend(before_it(open).map(|before| format!("{INDENT}before it: {before}")));
    let unknown = match &finding.unknown[..] {
        [] => String::new(),
        unknown => format!("unknown: {}; ", unknown.join("; ")),
    };
    lines.push(format!("{INDENT}{unknown}next: {}", finding.next));
    lines
}

/// `file /etc/app.conf written (12s before)`; none: nothing is known to have changed.
pub fn before_it(open: &Open) -> Option<String> {
    let one = |change: &Change| {
        let before = Duration::try_from(open.since.duration_since(change.at)).ok().filter(|time| !time.is_zero());
        let when = before.map_or("as it began".to_owned(), |time| format!("{} before", lasted(time)));
        format!("{} ({when})", format::change(change))
    };
    let all: Vec<String> = open.before_it.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// `confidence medium (one interval only)`
pub fn confidence(finding: &Finding) -> String {
    let doubts = match &finding.doubts[..] {
        [] => String::new(),
        doubts => format!(" ({})", doubts.join("; ")),
    };
    format!("confidence {}{doubts}", finding.confidence())
}

/// `sda p99 118ms`
pub fn one(evidence: &Evidence) -> String {
    format!("{} {}", escape(&evidence.what), format::value(evidence.value))
}

/// What is fine, and of what nothing is said.
pub fn rest(found: &Findings, view: &View) -> Vec<String> {
    dim(&rest_in_words(found), view)
}

pub fn rest_in_words(found: &Findings) -> String {
    let fine: Vec<String> = found.ruled_out.iter().map(|area| format!("{} ({})", area.area, area.because)).collect();
    let fine = match &fine[..] {
        [] => "nothing is ruled out".to_owned(),
        fine => format!("ruled out: {}", fine.join("; ")),
    };
    let not_measured = match &found.not_measured[..] {
        [] => String::new(),
        what => format!("; not measured: {}", escape(&by_reason(what).join(", "))),
    };
    fine + &not_measured
}

/// `cpu, disks (why)` of `cpu (probe is unavailable: why)` and `disks (probe is unavailable: why)`.
fn by_reason(what: &[String]) -> Vec<String> {
    let reason = |one: &str| {
        let (_, why) = one.strip_suffix(')')?.split_once(" (")?;
        Some(why.split_once(" is unavailable: ")?.1.to_owned())
    };
    let mut all: Vec<(Option<String>, String)> = Vec::new();
    for one in what {
        match (reason(one), all.last_mut()) {
            (Some(why), Some((Some(last), text))) if why == *last => {
                let named =
                    |text: &str| text.split_once(" (").map_or_else(|| text.to_owned(), |(area, _)| area.to_owned());
                *text = format!("{}, {} ({why})", named(text), named(one));
            }
            (why, _) => all.push((why, one.clone())),
        }
    }
    all.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::by_reason;

    #[test]
    fn what_is_missing_for_one_reason_is_told_with_it_once() {
        let what =
            ["CPU (cpu is unavailable: no BPF (1))", "disks (io is unavailable: no BPF (1))", "calls", "x (why)"];
        assert_eq!(by_reason(&what.map(str::to_owned)), ["CPU, disks (no BPF (1))", "calls", "x (why)"]);
    }
}
