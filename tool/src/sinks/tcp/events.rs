//! Single attempts, one line each.

use super::{noted, pair};
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
        tcp::{Retransmit, Tcp},
    },
};

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let events = &tcp.events.retransmits;
    if events.is_empty() {
        return;
    }
    let all: Vec<&Retransmit> = events.iter().collect();
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .own(own)
        // The latest are what goes on now.
        .draw_some(text, &all[all.len().saturating_sub(view.top)..], &all);
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

/// What is special about an attempt.
pub fn why(event: &Retransmit) -> impl Iterator<Item = String> {
    let failed = event.failed.map(|errno| format!("failed here: {}", std::io::Error::from_raw_os_error(errno)));
    let window = event.zero_window.then(|| "the other side has no room (zero window)".to_owned());
    failed.into_iter().chain(window)
}

/// Columns that only this table can put into words.
pub fn own(row: &Retransmit, name: &str, _: &Show) -> Noted {
    match name {
        "trip" => row.srtt_us.map_or_else(unknown, |srtt| format::duration(u64::from(srtt) * 1000)).into(),
        "window" => row.window.map_or_else(unknown, |window| window.cwnd.to_string()).into(),
        "connection" => pair(&row.local, &row.remote, row.netns).into(),
        "owner" => noted(&row.owners).and(why(row)),
        _ => Noted::default(),
    }
}
