//! Single attempts, one line each.

use super::owners;
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
    if tcp.events.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("KIND", 6).right("SEGS", 4).right("BYTES", 5);
    table = table.right("RTT", 5).right("CWND", 4).right("TRIES", 5).left("STATE", 11).left("CONNECTION", 0);
    table = table.left("OWNER", 0);
    // The latest are what goes on now.
    let from = tcp.events.len().saturating_sub(view.top);
    for event in &tcp.events[from..] {
        table.row(vec![
            event.at.to_zoned(view.zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
            event.kind.name().to_owned(),
            event.segments.to_string(),
            event.bytes.to_string(),
            event.srtt_us.map_or_else(|| UNKNOWN.to_owned(), |srtt| format::duration(u64::from(srtt) * 1000)),
            event.window.map_or_else(|| UNKNOWN.to_owned(), |window| window.cwnd.to_string()),
            event.retransmits.to_string(),
            event.state.to_owned(),
            connection(event),
            owner(event),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, tcp.events.len(), view);
}

fn connection(event: &Retransmit) -> String {
    let Retransmit { local, remote, netns, .. } = event;
    let netns = netns.map_or_else(String::new, |netns| format!(" (netns {netns})"));
    format!("{local} → {remote}{netns}")
}

fn owner(event: &Retransmit) -> String {
    let failed = event
        .failed
        .map_or_else(String::new, |errno| format!(" failed here: {}", std::io::Error::from_raw_os_error(errno)));
    owners(&event.owners) + &failed
}
