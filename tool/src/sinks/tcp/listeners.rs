//! Who does not accept connections fast enough.

use super::{one_end, owners};
use crate::{
    escape::escape,
    sinks::{View, format, table::Table, who::more},
    snapshot::{Snapshot, tcp::Tcp},
};

/// An empty table must not read as "no queue is full".
pub fn unknown(tcp: &Tcp) -> Option<String> {
    tcp.listeners.why().map(|why| format!("accept queues unavailable: {}", escape(&why.to_string())))
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let Some(listeners @ [_, ..]) = tcp.listeners.value().map(Vec::as_slice) else { return };
    let mut table = Table::new().right("DROP/s", 6).right("QUEUE", 5).right("LIMIT", 5).left("LISTENS AT", 0);
    table = table.left("OWNER", 0);
    for listener in listeners.iter().take(view.top) {
        let full = if listener.is_full() { " (full now)" } else { "" };
        table.row(vec![
            format::rate(listener.dropped, snapshot.interval),
            listener.queue.to_string(),
            listener.limit.to_string(),
            one_end(&listener.local, listener.netns),
            owners(&listener.owners) + full,
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, listeners.len(), view);
}
