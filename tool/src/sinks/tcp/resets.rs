//! Connections that one side broke off.

use super::{noted, owners, pair};
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
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
    Rows::new(view, snapshot.interval).own(own).draw_some(text, &all[all.len().saturating_sub(view.top)..], &all);
}

pub fn owner(reset: &Reset) -> String {
    if reset.state.is_some() { owners(&reset.owners) } else { UNKNOWN.to_owned() }
}

/// Columns that only this table can put into words.
pub fn own(row: &Reset, name: &str, _: &Show) -> Noted {
    match name {
        "connection" => pair(&row.local, &row.remote, row.netns).into(),
        "owner" if row.state.is_some() => noted(&row.owners),
        "owner" => UNKNOWN.into(),
        "why" => row.reason.clone().unwrap_or_default().into(),
        _ => Noted::default(),
    }
}
