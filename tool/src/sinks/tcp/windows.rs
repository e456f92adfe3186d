//! Who cannot send because the other side does not read.

use super::{noted, pair};
use crate::{
    escape::escape,
    sinks::{View, rows::Rows, table::Noted, values::Show, who},
    snapshot::{
        Snapshot,
        tcp::{ClosedWindow, Tcp},
    },
};

/// An empty table must not read as "everybody reads".
pub fn unknown(tcp: &Tcp) -> Option<String> {
    tcp.closed_windows.why().map(|why| format!("closed windows unavailable: {}", escape(&why.to_string())))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let Some(windows) = tcp.closed_windows.value().filter(|windows| !windows.is_empty()) else { return };
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, windows);
}

/// Columns that only this table can put into words.
pub fn own(row: &ClosedWindow, name: &str, _: &Show) -> Noted {
    match name {
        "connection" => pair(&row.local, &row.remote, row.netns).into(),
        "owner" => noted(&row.owners),
        "reader" => who::noted(&row.reader, super::one(&row.reader)),
        _ => Noted::default(),
    }
}
