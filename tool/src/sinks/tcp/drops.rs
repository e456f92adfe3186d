//! Packets that the kernel dropped.

use crate::{
    escape::escape,
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
    },
    snapshot::{
        Snapshot,
        tcp::{DropCause, DropSite, Tcp},
    },
    table::Known,
};

/// Of all connections of the host. `None`: there were none, or it was not measured.
pub fn total(tcp: &Tcp, snapshot: &Snapshot) -> Option<String> {
    let rate = format::rate(tcp.dropped, snapshot.interval);
    (tcp.dropped > 0).then(|| format!("{} dropped ({rate}/s)", format::plural(tcp.dropped, "packet", "packets")))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let Some(sites) = tcp.drops.as_ref().filter(|sites| !sites.is_empty()) else { return };
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_bounded(text, sites);
}

pub fn reason(cause: &DropCause) -> String {
    cause.reason.value().map_or_else(|| UNKNOWN.to_owned(), |reason| escape(reason).into_owned())
}

pub fn function(cause: &DropCause) -> String {
    match &cause.function {
        Known::Value(function) => escape(function).into_owned(),
        Known::Not(why) => format!("unknown ({})", escape(&why.to_string())),
    }
}

/// Columns that only this table can put into words.
pub fn own(row: &DropSite, name: &str, _: &Show) -> Noted {
    match name {
        "reason" => reason(&row.cause).into(),
        "function" => {
            let netns = row.netns.map_or_else(String::new, |netns| format!(" (netns {netns})"));
            (function(&row.cause) + &netns).into()
        }
        _ => Noted::default(),
    }
}
