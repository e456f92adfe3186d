//! Who cannot send because the other side does not read.

use super::{noted, pair};
use crate::{
    escape::escape,
    sinks::{View, rows::Rows, who},
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
    Rows::new(view, snapshot.interval)
        .own("connection", |row: &ClosedWindow| pair(&row.local, &row.remote, row.netns))
        .own("owner", |row: &ClosedWindow| noted(&row.owners))
        .own("reader", |row: &ClosedWindow| who::noted(&row.reader, super::one(&row.reader)))
        .draw_bounded(text, windows);
}
