//! Connections that one side broke off.

use super::{owners, pair, time};
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::tcp::{Direction, Reset, Tcp},
};

/// Of all connections of the host. `None`: there were none.
pub fn total(tcp: &Tcp) -> Option<String> {
    let words = |direction, words| {
        let count = tcp.reset_totals[direction as usize];
        (count > 0).then(|| format!("{} {words}", format::count(count)))
    };
    let parts: Vec<_> =
        [words(Direction::Sent, "sent"), words(Direction::Received, "received")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("resets: {}", parts.join(", ")))
}

pub fn draw(text: &mut String, tcp: &Tcp, view: &View) {
    let resets = &tcp.events.resets;
    if resets.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("RESET", 8).left("STATE", 11).left("CONNECTION", 0);
    table = table.left("OWNER", 0).left("WHY", 0);
    let from = resets.len().saturating_sub(view.top);
    for reset in &resets[from..] {
        table.row(vec![
            time(reset.at, view),
            direction(reset).to_owned(),
            reset.state.unwrap_or(UNKNOWN).to_owned(),
            pair(&reset.local, &reset.remote, reset.netns),
            owner(reset),
            reset.reason.clone().unwrap_or_default(),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, resets.len(), view);
}

pub fn direction(reset: &Reset) -> &'static str {
    match reset.direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    }
}

pub fn owner(reset: &Reset) -> String {
    if reset.state.is_some() { owners(&reset.owners) } else { UNKNOWN.to_owned() }
}
