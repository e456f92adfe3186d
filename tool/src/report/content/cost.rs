//! What measuring cost.

use super::{Block, Clock, Section};
use crate::{format, report::story::Story};

pub fn section(story: &Story, _: &Clock) -> Section {
    let looked = story.always();
    let of = if story.head.cpus == 0 { String::new() } else { format!(" ({} in all)", story.head.cpus) };
    let mut facts = vec![
        format!(
            "{} of one CPU{of} on average, {} at most",
            format::fine_percent(looked.cpu_percent()),
            format::fine_percent(looked.most_cpu_percent)
        ),
        format!(
            "{} of memory at most, and {} of the kernel's",
            format::bytes(looked.most_rss_bytes),
            format::bytes(looked.most_kernel_bytes)
        ),
    ];
    if looked.budget_percent > 0.0 {
        facts.push(format!("Budget: {}% of all CPUs", looked.budget_percent));
    }
    if looked.kernel_unknown > 0 {
        let times = format::plural(looked.kernel_unknown, "interval", "intervals");
        facts.push(format!("In {times} the part inside the kernel was not measured, and comes on top"));
    }
    Section { title: "What measuring cost", blocks: vec![Block::List(facts)] }
}
