//! What was ruled out, what is not clear, and what was not measured or lost.

use super::{Block, Caption, Clock, Grid, Section};
use crate::{
    escape::escape,
    format,
    report::story::{Area, Looked, Story},
};

pub fn section(story: &Story, _: &Clock) -> Section {
    let looked = story.looked();
    let when = if story.is_about_harm() { "in which a finding of harm was told and held" } else { "of this time" };
    let intervals = format::plural(looked.intervals, "interval", "intervals");
    let mut blocks =
        vec![Block::Text(format!("In the {intervals} {when}. An area of which a finding speaks is in neither list."))];
    areas(&mut blocks, "Ruled out", looked, "Nothing was ruled out.", |area| (area.fine, &area.because));
    areas(&mut blocks, "Not clear", looked, "No figure says that something was wrong beside the findings.", |area| {
        (area.unclear, &area.against)
    });
    let mut not: Vec<String> =
        looked.not_measured.iter().map(|(what, &times)| format!("{}{}", escape(what), of(times, looked))).collect();
    not.extend(
        looked
            .unavailable
            .iter()
            .map(|((probe, why), &times)| format!("{probe} was unavailable{}: {}", of(times, looked), escape(why))),
    );
    listed(&mut blocks, "Not measured", not, "Everything that can be measured was.");
    let unknown: std::collections::BTreeSet<String> =
        story.told.iter().flat_map(|told| &told.worst.unknown).map(|what| escape(what).into_owned()).collect();
    listed(&mut blocks, "Not known", unknown.into_iter().collect(), "No finding leaves anything open.");
    lost(&mut blocks, story);
    Section { title: "Ruled out, not clear, not measured, lost", blocks }
}

fn areas(blocks: &mut Vec<Block>, title: &str, looked: &Looked, none: &str, of: impl Fn(&Area) -> (u64, &String)) {
    let mut grid =
        Grid::new([Caption::text("Area"), Caption::number("In intervals"), Caption::text("By these figures, at last")]);
    for (name, area) in &looked.areas {
        let (times, figures) = of(area);
        if times > 0 {
            grid.row([(*name).to_owned(), format!("{times} of {}", looked.intervals), escape(figures).into_owned()]);
        }
    }
    blocks.push(Block::Heading(title.to_owned()));
    blocks.push(if grid.rows.is_empty() { Block::Text(none.to_owned()) } else { Block::Grid(grid) });
}

fn listed(blocks: &mut Vec<Block>, title: &str, list: Vec<String>, none: &str) {
    blocks.push(Block::Heading(title.to_owned()));
    blocks.push(if list.is_empty() { Block::Text(none.to_owned()) } else { Block::List(list) });
}

fn of(times: u64, looked: &Looked) -> String {
    if times == looked.intervals { String::new() } else { format!(" (in {times} of {})", looked.intervals) }
}

/// In all of the time: what was lost before may be why nothing was seen later.
fn lost(blocks: &mut Vec<Block>, story: &Story) {
    let mut list: Vec<String> = story
        .always()
        .lost
        .iter()
        .map(|(cause, count)| format!("{}: {cause}", format::plural(*count, "event", "events")))
        .collect();
    let dropped: u64 = story.dropped.iter().map(|gap| gap.entries).sum();
    if dropped > 0 {
        list.push(format!("{} not written by the recorder", format::plural(dropped, "entry was", "entries were")));
    }
    if !story.gaps.is_empty() {
        let gaps = format::plural(story.gaps.len() as u64, "time", "times");
        list.push(format!("{gaps} of which nothing was recorded (see the timeline)"));
    }
    if story.unreadable > 0 {
        let entries = format::plural(story.unreadable, "damaged part", "damaged parts");
        list.push(format!("{entries} of the recording could not be read"));
    }
    listed(blocks, "Lost", list, "Nothing was lost.");
}
