//! Single attempts, one line each.

use super::{owners, pair, time};
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::tcp::{Retransmit, Tcp},
};

pub fn draw(text: &mut String, tcp: &Tcp, view: &View) {
    let events = &tcp.events.retransmits;
    if events.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("KIND", 6).right("SEGS", 4).right("BYTES", 5);
    table = table.right("RTT", 5).right("CWND", 4).right("TRIES", 5).left("STATE", 11).left("CONNECTION", 0);
    table = table.left("OWNER", 0);
    // The latest are what goes on now.
    let from = events.len().saturating_sub(view.top);
    for event in &events[from..] {
        table.row(vec![
            time(event.at, view),
            event.kind.name().to_owned(),
            event.segments.to_string(),
            event.bytes.to_string(),
            event.srtt_us.map_or_else(|| UNKNOWN.to_owned(), |srtt| format::duration(u64::from(srtt) * 1000)),
            event.window.map_or_else(|| UNKNOWN.to_owned(), |window| window.cwnd.to_string()),
            event.retransmits.to_string(),
            event.state.to_owned(),
            pair(&event.local, &event.remote, event.netns),
            std::iter::once(owners(&event.owners)).chain(why(event)).collect::<Vec<_>>().join(", "),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, events.len(), view);
}

/// What is special about an attempt.
pub fn why(event: &Retransmit) -> impl Iterator<Item = String> {
    let failed = event.failed.map(|errno| format!("failed here: {}", std::io::Error::from_raw_os_error(errno)));
    let window = event.zero_window.then(|| "the other side has no room (zero window)".to_owned());
    failed.into_iter().chain(window)
}
