//! Packets that the kernel dropped.

use crate::{
    escape::escape,
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::{
        Snapshot,
        tcp::{DropCause, Tcp},
    },
};

/// Of all connections of the host. `None`: there were none, or it was not measured.
pub fn total(tcp: &Tcp, snapshot: &Snapshot) -> Option<String> {
    let rate = format::rate(tcp.dropped, snapshot.interval);
    (tcp.dropped > 0).then(|| format!("{} dropped ({rate}/s)", format::plural(tcp.dropped, "packet", "packets")))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let Some(sites @ [_, ..]) = tcp.drops.as_deref() else { return };
    let mut table = Table::new().right("DROP/s", 6).right("KiB/s", 6).right("PORT", 5).left("REASON", 0);
    table = table.left("FUNCTION", 0);
    for site in sites.iter().take(view.top) {
        let netns = site.netns.map_or_else(String::new, |netns| format!(" (netns {netns})"));
        table.row(vec![
            format::rate(site.packets, snapshot.interval),
            format::rate(site.bytes / 1024, snapshot.interval),
            site.port.map_or_else(|| UNKNOWN.to_owned(), |port| port.to_string()),
            reason(&site.cause),
            function(&site.cause) + &netns,
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, sites.len(), view);
}

pub fn reason(cause: &DropCause) -> String {
    cause.reason.as_ref().map_or_else(|| UNKNOWN.to_owned(), |reason| escape(reason).into_owned())
}

pub fn function(cause: &DropCause) -> String {
    let unknown = || format!("unknown ({})", cause.function_unknown.as_deref().unwrap_or(UNKNOWN));
    cause.function.as_ref().map_or_else(unknown, |function| escape(function).into_owned())
}
