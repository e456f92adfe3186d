//! What each sentence rests on.

use super::{
    Block, Caption, Clock, Grid, Section,
    summary::{lasted, what},
    words::{list, or_dash},
};
use crate::{
    escape::escape,
    format,
    report::story::{Story, Told},
};

const FINDINGS: usize = 40;

pub fn section(story: &Story, clock: &Clock) -> Section {
    let mut told: Vec<_> = story.told.iter().collect();
    told.sort_by(|a, b| b.worst.harm.total_cmp(&a.worst.harm));
    let mut blocks = Vec::new();
    told.iter().take(FINDINGS).for_each(|one| finding(one, clock, &mut blocks));
    let more = told.len().saturating_sub(FINDINGS) as u64;
    if more > 0 {
        blocks.push(Block::Text(format!(
            "{} left out.",
            format::plural(more, "finding of less harm is", "findings of less harm are")
        )));
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("No finding in this time.".to_owned()));
    }
    Section { title: "Evidence", blocks }
}

fn finding(told: &Told, clock: &Clock, blocks: &mut Vec<Block>) {
    let found = &told.worst;
    blocks.push(Block::Heading(what(told)));
    blocks.push(Block::Text(format!("{}.", found.statement)));
    blocks.push(Block::Text(format!(
        "As at {}, when it was worst. It held in {}, and lasted {}.",
        clock.time(told.worst_at),
        format::plural(told.intervals, "interval", "intervals"),
        lasted(told)
    )));
    let mut grid = Grid::new([Caption::text("Measured"), Caption::number("Value"), Caption::text("Probe")]);
    for one in &found.evidence {
        grid.row([escape(&one.what).into_owned(), format::value(one.value), one.probe.to_owned()]);
    }
    if !grid.rows.is_empty() {
        blocks.push(Block::Grid(grid));
    }
    let victims: Vec<_> = found.victims.iter().map(format::name).collect();
    let culprits: Vec<_> = found.culprits.iter().map(format::name).collect();
    let mut facts = vec![
        format!("Lose time: {}", or_dash(list(&victims, 8))),
        format!("Because of: {}", if culprits.is_empty() { "not known".to_owned() } else { list(&culprits, 8) }),
        format!("Confidence: {}{}", found.confidence(), because(&found.doubts)),
    ];
    if !found.unknown.is_empty() {
        facts.push(format!("Not known: {}", escape(&found.unknown.join("; "))));
    }
    if !told.before_it.is_empty() {
        let before: Vec<_> =
            told.before_it.iter().map(|it| format!("{} {}", clock.time(it.at), format::change(it))).collect();
        facts.push(format!("Before it: {}", before.join("; ")));
    }
    facts.push(format!("A command that shows more: {}", found.next));
    blocks.push(Block::List(facts));
}

fn because(doubts: &[String]) -> String {
    if doubts.is_empty() { String::new() } else { format!(" ({})", escape(&doubts.join("; "))) }
}
