//! What began, when it was noticed, how long it lasted, who lost how much time, and because of whom.

use super::{
    Block, Caption, Clock, Figure, Grid, Section,
    words::{between, cgroup, list, or_dash},
};
use crate::{
    format,
    report::story::{Share, Story, Told},
    snapshot::ledger::For,
};

const FINDINGS: usize = 12;
const PROCESSES: usize = 10;

pub fn title(story: &Story, clock: &Clock) -> String {
    let what = if story.told.iter().any(|told| told.worst.harm > 0.0) { "Incident" } else { "Report" };
    let host = crate::escape::escape(&story.head.host);
    let on = if host.is_empty() { String::new() } else { format!(" on {host}") };
    match story.span() {
        Some((from, to)) => {
            format!("{what}{on}, {}, {} to {} {}", clock.day(from), clock.time(from), clock.time(to), clock.zone(from))
        }
        None => format!("{what}{on}"),
    }
}

pub fn lead(story: &Story) -> String {
    match (story.harmful().first(), story.span()) {
        (Some(worst), _) => sentence(&worst.worst.statement),
        (None, Some(_)) => "No finding of harm in this time.".to_owned(),
        (None, None) => "Nothing was recorded of this time.".to_owned(),
    }
}

/// Most statements begin with a name, which stays as it is.
fn sentence(statement: &str) -> String {
    match statement.strip_prefix("the ") {
        Some(rest) => format!("The {rest}."),
        None => format!("{statement}."),
    }
}

pub fn figures(story: &Story, clock: &Clock) -> Vec<Figure> {
    let harmful = story.harmful();
    let Some(first) = harmful.iter().min_by_key(|told| told.since) else { return Vec::new() };
    let plain = |name, value, note| Figure { name, value, note, harm: false };
    let noticed = match first.noticed {
        Some(at) => plain("Noticed after", between(first.since, at), format!("at {}", clock.time(at))),
        None => plain("Noticed", "earlier".to_owned(), "it was going on when this time began".to_owned()),
    };
    let until = harmful.iter().map(|told| told.until).max().unwrap_or(first.until);
    let all_over = harmful.iter().all(|told| told.is_over);
    let over =
        if all_over { format!("until {}", clock.time(until)) } else { "and not over when this time ended".to_owned() };
    let processes = story.lost.most().len() as u64;
    let lost = story.lost.total_ns();
    let mut figures = vec![
        plain("Began", clock.time(first.since), clock.day(first.since)),
        noticed,
        plain("Lasted", between(first.since, until), over),
        Figure {
            name: "Time lost",
            value: format::duration(lost),
            note: format!("by {}, waits of 10ms and more", format::plural(processes, "process", "processes")),
            harm: lost > 0,
        },
    ];
    let killed = story.kills.len() as u64;
    if killed > 0 {
        let note = format!("{} for want of memory", if killed == 1 { "process" } else { "processes" });
        figures.push(Figure { name: "Killed", value: format::count(killed), note, harm: true });
    }
    figures
}

pub fn section(story: &Story, clock: &Clock) -> Section {
    let mut blocks = findings(story, clock);
    blocks.extend(who_lost(story));
    blocks.extend(because_of(story));
    Section { title: "Summary", blocks }
}

fn findings(story: &Story, clock: &Clock) -> Vec<Block> {
    let harmful = story.harmful();
    if harmful.is_empty() {
        return vec![Block::Text("No finding of harm in this time.".to_owned())];
    }
    let captions = ["Began", "Noticed", "Lasted", "Time lost"].map(Caption::number);
    let mut grid =
        Grid::new([captions[0], captions[1], captions[2], captions[3], Caption::text("What, when it was worst")]);
    for told in harmful.iter().take(FINDINGS) {
        grid.row([
            clock.time(told.since),
            told.noticed.map_or_else(|| "earlier".to_owned(), |at| format!("+{}", between(told.since, at))),
            lasted(told),
            or_dash(if told.lost.total_ns() > 0 { format::duration(told.lost.total_ns()) } else { String::new() }),
            told.worst.statement.clone(),
        ]);
    }
    let mut blocks = vec![Block::Grid(grid)];
    let more = harmful.len().saturating_sub(FINDINGS) as u64;
    if more > 0 {
        blocks.push(Block::Text(format!(
            "{}, each of less harm.",
            format::plural(more, "more finding", "more findings")
        )));
    }
    blocks
}

pub fn lasted(told: &Told) -> String {
    let lasted = between(told.since, told.until);
    if told.is_over { lasted } else { format!("{lasted}, not over") }
}

fn who_lost(story: &Story) -> Vec<Block> {
    let shares = story.lost.most();
    if shares.is_empty() {
        return Vec::new();
    }
    let mut grid = Grid::new([
        Caption::text("Process"),
        Caption::text("Cgroup"),
        Caption::number("Time lost"),
        Caption::text("Waited for"),
    ]);
    for share in shares.iter().take(PROCESSES) {
        grid.row([format::name(&share.who), cgroup(&share.who), format::duration(share.ns), waited_for(share)]);
    }
    let rest = shares.get(PROCESSES..).unwrap_or_default();
    let rest_ns = rest.iter().map(|share| share.ns).sum::<u64>() + story.lost.others_ns;
    if rest_ns > 0 {
        let others = if story.lost.others_ns > 0 { "all others".to_owned() } else { format!("{} others", rest.len()) };
        grid.row([others, or_dash(String::new()), format::duration(rest_ns), String::new()]);
    }
    vec![
        Block::Heading("Who lost time".to_owned()),
        Block::Text(
            "From the begin of a finding of harm to its end: waits of 10ms and more, each counted once. Threads of a process add up, so \
             that it can lose more than a second in a second."
                .to_owned(),
        ),
        Block::Grid(grid),
    ]
}

fn waited_for(share: &Share) -> String {
    let mut by: Vec<_> = share.by.iter().collect();
    by.sort_by_key(|(_, ns)| std::cmp::Reverse(**ns));
    let words: Vec<_> = by.iter().map(|(what, ns)| format!("{} {}", words(**what), format::duration(**ns))).collect();
    list(&words, 3)
}

fn words(what: For) -> String {
    what.name().replace('_', " ")
}

fn because_of(story: &Story) -> Vec<Block> {
    let mut grid = Grid::new([
        Caption::text("Process"),
        Caption::text("Cgroup"),
        Caption::number("Named in"),
        Caption::text("Finding"),
    ]);
    for told in story.harmful().iter().take(FINDINGS) {
        for (who, intervals) in told.culprits().into_iter().take(3) {
            let of = format!("{intervals} of {}", format::plural(told.intervals, "interval", "intervals"));
            grid.row([format::name(who), cgroup(who), of, what(told)]);
        }
    }
    if grid.rows.is_empty() {
        return vec![
            Block::Heading("Because of whom".to_owned()),
            Block::Text("Not known: no finding of harm names anybody.".to_owned()),
        ];
    }
    vec![Block::Heading("Because of whom".to_owned()), Block::Grid(grid)]
}

/// `device saturated: loop1`
pub fn what(told: &Told) -> String {
    let rule = told.worst.rule.replace('_', " ");
    let subject = crate::escape::escape(&told.worst.subject);
    if subject.is_empty() { rule } else { format!("{rule}: {subject}") }
}
