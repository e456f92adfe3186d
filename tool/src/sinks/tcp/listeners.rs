//! Who does not accept connections fast enough.

use super::{one_end, owners};
use crate::{
    escape::escape,
    sinks::{View, rows::Rows, table::Noted, values::Show, who},
    snapshot::{
        Snapshot,
        tcp::{Listener, Tcp},
    },
};

/// An empty table must not read as "no queue is full".
pub fn unknown(tcp: &Tcp) -> Option<String> {
    tcp.listeners.why().map(|why| format!("accept queues unavailable: {}", escape(&why.to_string())))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let Some(listeners) = tcp.listeners.value().filter(|listeners| !listeners.is_empty()) else { return };
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, listeners);
}

/// Columns that only this table can put into words.
pub fn own(row: &Listener, name: &str, _: &Show) -> Noted {
    match name {
        "at" => one_end(&row.local, row.netns).into(),
        "owner" => who::noted(&row.owners.who, owners(&row.owners) + if row.is_full() { " (full now)" } else { "" }),
        _ => Noted::default(),
    }
}
