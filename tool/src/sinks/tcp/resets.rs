//! Connections that one side broke off.

use super::owners;
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
    if tcp.resets.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("RESET", 8).left("STATE", 11).left("CONNECTION", 0);
    table = table.left("OWNER", 0).left("WHY", 0);
    let from = tcp.resets.len().saturating_sub(view.top);
    for reset in &tcp.resets[from..] {
        let Reset { local, remote, netns, .. } = reset;
        let netns = netns.map_or_else(String::new, |netns| format!(" (netns {netns})"));
        table.row(vec![
            reset.at.to_zoned(view.zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
            match reset.direction {
                Direction::Sent => "sent".to_owned(),
                Direction::Received => "received".to_owned(),
            },
            reset.state.unwrap_or(UNKNOWN).to_owned(),
            format!("{local} → {remote}{netns}"),
            if reset.state.is_some() { owners(&reset.owners) } else { UNKNOWN.to_owned() },
            reset.reason.clone().unwrap_or_default(),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, tcp.resets.len(), view);
}
