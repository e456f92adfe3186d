//! What only people know.

use super::{Block, Section};

pub fn section() -> Section {
    let parts = [
        ("What was done", "Each step with its time, and what it was to bring."),
        ("Which assumptions failed", "What was thought to be so, and was not."),
        ("What should change", "With who does it, and until when."),
    ];
    let blocks = parts.into_iter().flat_map(|(title, hint)| [Block::Heading(title.to_owned()), Block::ToWrite(hint)]);
    Section { title: "To be written by people", blocks: blocks.collect() }
}
