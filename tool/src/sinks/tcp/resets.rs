//! Connections that one side broke off.

use super::{noted, owners, pair};
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
    },
    snapshot::{
        Snapshot,
        tcp::{Direction, Reset, Tcp},
    },
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

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let resets = &tcp.events.resets;
    if resets.is_empty() {
        return;
    }
    let all: Vec<&Reset> = resets.iter().collect();
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .own("connection", |reset: &Reset| pair(&reset.local, &reset.remote, reset.netns))
        .own("owner", |reset: &Reset| if reset.state.is_some() { noted(&reset.owners) } else { UNKNOWN.into() })
        .own("why", |reset: &Reset| reset.reason.clone().unwrap_or_default())
        .draw_some(text, &all[all.len().saturating_sub(view.top)..], &all);
}

pub fn owner(reset: &Reset) -> String {
    if reset.state.is_some() { owners(&reset.owners) } else { UNKNOWN.to_owned() }
}
