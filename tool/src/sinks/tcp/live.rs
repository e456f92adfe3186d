//! Single events as they come: a line each, in order.

use jiff::Timestamp;

use super::{connects, drops, events, owners, pair, resets, sampled};
use crate::{
    escape::escape,
    sinks::{View, format, header, table::Table, values::clock, who},
    snapshot::{
        Snapshot,
        tcp::{Connect, Dropped, End, Events, Reset, Retransmit, Tcp},
    },
};

/// Columns that hold most events, so that lines of different moments line up.
const WHAT: usize = 17;
const CONNECTION: usize = 45;
const OWNER: usize = 22;

fn table() -> Table {
    Table::new()
        .fixed()
        .left("TIME", 12)
        .left("EVENT", WHAT)
        .left("CONNECTION", CONNECTION)
        .left("OWNER", OWNER)
        .left("DETAIL", 0)
}

pub fn head(view: &View) -> String {
    let mut text = String::new();
    table().draw_head(&mut text, view);
    text
}

/// What one line says.
pub struct EventLine {
    pub at: Timestamp,
    pub what: String,
    pub ends: [End; 2],
    pub connection: String,
    pub owner: String,
    pub detail: String,
}

/// In order.
pub fn lines(events: &Events) -> Vec<EventLine> {
    let mut lines: Vec<EventLine> = events.retransmits.iter().map(retransmit).collect();
    lines.extend(events.connects.iter().map(connect));
    lines.extend(events.resets.iter().map(reset));
    lines.extend(events.drops.iter().map(dropped));
    lines.sort_by_key(|line| line.at);
    lines
}

pub fn draw(text: &mut String, events: &Events, view: &View) {
    let mut table = table();
    for EventLine { at, what, connection, owner, detail, .. } in lines(events) {
        table.row([clock(at, view), what, connection, owner, detail]);
    }
    table.draw_rows(text, view);
}

/// What closes an interval.
pub fn close(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    draw(text, &tcp.events, view);
    let only = (!view.only.is_empty()).then(|| header::mode(snapshot, view));
    for line in [header::line(snapshot, view)].into_iter().chain(only).chain(sampled(tcp)) {
        *text += &view.dim(&line);
        text.push('\n');
    }
}

fn retransmit(event: &Retransmit) -> EventLine {
    let mut detail =
        format!("{}, {} bytes, {}", format::plural(event.segments, "segment", "segments"), event.bytes, event.state);
    if let Some(srtt) = event.srtt_us {
        detail += &format!(", rtt {}", format::duration(u64::from(srtt) * 1000));
    }
    if let Some(window) = event.window {
        detail += &format!(", cwnd {}", window.cwnd);
    }
    if event.retransmits > 0 {
        detail += &format!(", {} in a row", format::plural(event.retransmits.into(), "timeout", "timeouts"));
    }
    for why in events::why(event) {
        detail += &format!(", {why}");
    }
    EventLine {
        at: event.at,
        what: format!("retransmit {}", event.kind.name()),
        ends: [event.local, event.remote],
        connection: pair(&event.local, &event.remote, event.netns),
        owner: owners(&event.owners),
        detail,
    }
}

fn connect(connect: &Connect) -> EventLine {
    EventLine {
        at: connect.at,
        what: "connect".to_owned(),
        ends: [connect.local, connect.remote],
        connection: pair(&connect.local, &connect.remote, connect.netns),
        owner: who::one(&connect.who),
        detail: match connect.waited {
            Some(_) => format!("{} after {}", connects::outcome(connect), connects::waited(connect)),
            None => connects::outcome(connect),
        },
    }
}

fn reset(reset: &Reset) -> EventLine {
    let reason = reset.reason.as_deref().map(|reason| escape(reason).into_owned());
    EventLine {
        at: reset.at,
        what: format!("reset {}", reset.direction.name()),
        ends: [reset.local, reset.remote],
        connection: pair(&reset.local, &reset.remote, reset.netns),
        owner: resets::owner(reset),
        detail: [reset.state.as_deref().map(str::to_owned), reason]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn dropped(dropped: &Dropped) -> EventLine {
    let Dropped { from, to, netns, cause, .. } = dropped;
    EventLine {
        at: dropped.at,
        what: "drop".to_owned(),
        ends: [*from, *to],
        connection: pair(from, to, *netns),
        owner: if dropped.state.is_some() { owners(&dropped.owners) } else { format::UNKNOWN.to_owned() },
        detail: format!(
            "{} in {}, flags {}, {} bytes",
            drops::reason(cause),
            drops::function(cause),
            dropped.flags,
            dropped.bytes
        ),
    }
}
