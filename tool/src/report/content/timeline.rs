//! What happened when: findings, kills, harm that the kernel tells of, marks, times of which nothing is known, and what logs said.

use jiff::{SignedDuration, Timestamp};

use super::{
    Block, Caption, Clock, Grid, Section, quoted,
    summary::what,
    words::{between, cgroup, length},
};
use crate::{
    escape::escape,
    format,
    oom_report::{Line, Report},
    report::story::Story,
    snapshot::{
        changes::Change,
        oom::{Allocation, Held, Kill},
    },
};

const ROWS: usize = 200;
/// Of changes, those before the time that is told may be of interest, and a host that begins a container each second has many.
const CHANGES: usize = 80;
const MINUTES: SignedDuration = SignedDuration::from_mins(10);
/// Kills that are told in full, and lines of the kernel's log of each.
const KILLS: usize = 10;
const LINES: usize = 120;

pub fn section(story: &Story, clock: &Clock, is_redacted: bool) -> Section {
    let mut moments = moments(story);
    moments.sort_by_key(|(at, ..)| *at);
    let mut grid = Grid::new([Caption::number("Time"), Caption::text("Event"), Caption::text("What")]);
    for (at, what, text) in moments.iter().take(ROWS) {
        grid.row([clock.time(*at), (*what).to_owned(), text.clone()]);
    }
    let mut blocks = match grid.rows.is_empty() {
        true => vec![Block::Text("No finding, no kill and no mark in this time.".to_owned())],
        false => vec![Block::Grid(grid)],
    };
    let more = moments.len().saturating_sub(ROWS) as u64;
    if more > 0 {
        blocks.push(Block::Text(format!("{} left out.", format::plural(more, "later one is", "later ones are"))));
    }
    let more = changes(story).count().saturating_sub(CHANGES) as u64;
    if more > 0 {
        let more = format::plural(more, "earlier change is", "earlier changes are");
        blocks.push(Block::Text(format!("{more} left out.")));
    }
    story.kills.iter().take(KILLS).for_each(|one| kill(one, clock, &mut blocks));
    let more = story.kills.len().saturating_sub(KILLS) as u64;
    if more > 0 {
        blocks
            .push(Block::Text(format!("{} not told in full.", format::plural(more, "more kill is", "more kills are"))));
    }
    blocks.extend(quoted::blocks(story, clock, is_redacted));
    Section { title: "Timeline", blocks }
}

fn moments(story: &Story) -> Vec<(Timestamp, &'static str, String)> {
    let mut moments = Vec::new();
    for told in &story.told {
        moments.push((told.since, "began", told.worst.statement.clone()));
        let noticed =
            told.noticed.map_or("before this time".to_owned(), |at| format!("after {}", between(told.since, at)));
        moments.push((told.noticed.unwrap_or(told.since), "noticed", format!("{noticed}: {}", what(told))));
        if told.is_over {
            moments.push((told.until, "over", format!("after {}: {}", between(told.since, told.until), what(told))));
        }
    }
    for kill in &story.kills {
        moments.push((
            kill.at,
            "kill",
            format!("the kernel killed {} for want of memory", format::name(&kill.victim.who)),
        ));
    }
    moments.extend(changes(story).take(CHANGES).map(|change| (change.at, "changed", format::change(change))));
    moments.extend(story.quoted.harm.iter().map(|line| (line.at, "harm", quoted::harm(line))));
    moments.extend(story.marks.iter().map(|mark| (mark.at, "mark", escape(&mark.text).into_owned())));
    for &(from, to) in &story.gaps {
        moments.push((from, "gap", format!("nothing was recorded for {}", between(from, to))));
    }
    for gap in &story.dropped {
        let entries = format::plural(gap.entries, "entry was", "entries were");
        moments.push((gap.at, "lost", format!("{entries} not written: {}", escape(&gap.why))));
    }
    moments.extend(story.levels.iter().map(|(at, level)| (*at, "measured", escape(level).into_owned())));
    moments
}

/// Those of this time, and of the minutes before it; the last first.
fn changes(story: &Story) -> impl Iterator<Item = &Change> {
    let from = story.span().and_then(|(from, _)| from.checked_sub(MINUTES).ok());
    story.changes.iter().rev().filter(move |change| from.is_some_and(|from| change.at >= from))
}

fn kill(kill: &Kill, clock: &Clock, blocks: &mut Vec<Block>) {
    let victim = &kill.victim;
    let name = format::name(&victim.who);
    blocks.push(Block::Heading(format!("{} The kernel killed {name}", clock.time(kill.at))));
    let mut facts = vec![format!("Cgroup: {}", cgroup(&victim.who))];
    if let Some(cmdline) = &victim.cmdline {
        facts.push(format!("Arguments: {}", escape(cmdline)));
    }
    facts.push(match &victim.memory {
        Some(memory) => format!("Held: {}", held(memory)),
        None => "Held: not known".to_owned(),
    });
    facts.push(format!("Needed memory: {}{}", format::name(&kill.trigger), wanted(kill)));
    facts.push(match &kill.scope {
        Ok(scope) => match &scope.cgroup {
            Some(path) => format!("Ran out: cgroup {}", escape(path)),
            None => "Ran out: memory of the host, or of the nodes that may be used".to_owned(),
        },
        Err(why) => format!("Ran out: not known ({})", escape(why)),
    });
    facts.push(match kill.freed {
        Some(freed) => format!("Its memory was free after {}", length(freed)),
        None => "When its memory was free is not known".to_owned(),
    });
    blocks.push(Block::List(facts));
    match (&kill.report, &kill.report_unknown) {
        (Some(report), _) => verbatim(report, blocks),
        (None, why) => {
            let why = why.as_deref().unwrap_or("it said nothing about it");
            blocks.push(Block::Text(format!("The kernel's log is not known: {}.", escape(why))));
        }
    }
}

fn verbatim(report: &Report, blocks: &mut Vec<Block>) {
    let line = |line: &Line| {
        let (s, us) = (line.at.as_secs(), line.at.subsec_micros());
        // Old kernels write several lines as one record.
        line.text.split('\n').map(|line| format!("[{s:5}.{us:06}] {}", escape(line))).collect::<Vec<_>>()
    };
    let lines: Vec<_> = report.lines.iter().flat_map(line).collect();
    let more = lines.len().saturating_sub(LINES) as u64;
    blocks.push(Block::Verbatim(lines.into_iter().take(LINES).collect()));
    if more > 0 {
        blocks.push(Block::Text(format!("{} left out.", format::plural(more, "more line is", "more lines are"))));
    }
}

fn held(held: &Held) -> String {
    let about = if held.logged { "" } else { "about " };
    let swap = held.swap.map_or_else(|| "swap not known".to_owned(), |swap| format!("{} in swap", format::bytes(swap)));
    format!(
        "{about}{} anonymous, {} of files, {} shared, {swap}",
        format::bytes(held.anon),
        format::bytes(held.file),
        format::bytes(held.shmem)
    )
}

fn wanted(kill: &Kill) -> String {
    match &kill.allocation {
        Some(Allocation { order: Some(order), gfp }) => format!(" (2^{order} pages, {})", escape(gfp)),
        Some(Allocation { order: None, .. }) => ", who asked the kernel for a kill by hand".to_owned(),
        None => String::new(),
    }
}
