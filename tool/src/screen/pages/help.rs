//! `?`: all keys, and what is kept.

use super::lines::{PageLine, Role, wrapped};
use crate::{
    format,
    screen::{keys::BINDINGS, state::Machine},
};

/// Columns of the keys.
const KEYS: usize = 12;

pub fn lines(of: &Machine) -> Vec<PageLine> {
    let width = usize::from(of.size.0);
    let mut lines = wrapped(Role::Plain, &kept(of), width, 2);
    let mut about = "";
    for binding in BINDINGS.iter().filter(|binding| !binding.keys.is_empty()) {
        if binding.about != about {
            about = binding.about;
            lines.push(PageLine::empty());
            lines.push(PageLine::of(Role::Head, about));
        }
        lines.extend(wrapped(Role::Plain, &format!("  {:<KEYS$}{}", binding.keys, binding.what), width, KEYS + 2));
    }
    lines
}

fn kept(of: &Machine) -> String {
    let timeline = &of.timeline;
    let intervals = timeline.digests().filter(|(_, digest)| digest.what.is_interval()).count() as u64;
    let mut text = format!(
        "{} in memory, in {} of {}",
        format::plural(intervals, "interval is", "intervals are"),
        format::bytes(timeline.bytes() as u64),
        format::bytes(timeline.most() as u64)
    );
    if timeline.left_out() > 0 {
        text += &format!("; {} before them had no room", format::plural(timeline.left_out(), "entry", "entries"));
    }
    text
}
