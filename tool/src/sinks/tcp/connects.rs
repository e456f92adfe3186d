//! Connections that were opened, or failed to be.

use super::{one, one_end, pair, time};
use crate::{
    sinks::{
        View, bar,
        format::{self, UNKNOWN},
        table::Table,
        who::more,
    },
    snapshot::{
        Snapshot,
        tcp::{Connect, FlowsBy, Outcome, Tcp, failed},
    },
};

/// Of all connections of the host. `None`: none was opened.
pub fn total(tcp: &Tcp, snapshot: &Snapshot) -> Option<String> {
    let established = tcp.opened[Outcome::Established as usize];
    if established + failed(&tcp.opened) == 0 {
        return None;
    }
    let rate = format::rate(established, snapshot.interval);
    let opened = format::plural(established, "connection", "connections");
    let why = why(&tcp.opened);
    let separator = if why.is_empty() { "" } else { "; failed: " };
    Some(format!("{opened} opened ({rate}/s){separator}{why}"))
}

/// How many failed for which reason.
fn why(outcomes: &[u64]) -> String {
    let failed = Outcome::ALL.into_iter().zip(outcomes).skip(1).filter(|&(_, &count)| count > 0);
    let failed: Vec<_> =
        failed.map(|(outcome, &count)| format!("{} {}", format::count(count), words(outcome))).collect();
    failed.join(", ")
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Established => "established",
        Outcome::Refused => "refused",
        Outcome::TimedOut => "timed out",
        Outcome::Unreachable => "unreachable",
        Outcome::NoPort => "no local port",
        Outcome::NotSent => "not sent",
        Outcome::GivenUp => "given up",
        Outcome::Other => "other error",
    }
}

/// Slow or failed ones, a line each.
pub fn events(text: &mut String, tcp: &Tcp, view: &View) {
    let connects = &tcp.events.connects;
    if connects.is_empty() {
        return;
    }
    let mut table = Table::new().left("TIME", 12).left("CONNECT", 13).right("AFTER", 5).left("CONNECTION", 0);
    table = table.left("OWNER", 0);
    let from = connects.len().saturating_sub(view.top);
    for connect in &connects[from..] {
        table.row(vec![
            time(connect.at, view),
            outcome(connect),
            waited(connect),
            pair(&connect.local, &connect.remote, connect.netns),
            one(&connect.who),
        ]);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, connects.len(), view);
}

pub fn waited(connect: &Connect) -> String {
    connect.waited.map_or_else(|| UNKNOWN.to_owned(), |waited| format::duration(waited.as_nanos() as u64))
}

pub fn outcome(connect: &Connect) -> String {
    match (connect.outcome, connect.error) {
        (Outcome::Other, Some(errno)) => std::io::Error::from_raw_os_error(errno).to_string(),
        (outcome, _) => words(outcome).to_owned(),
    }
}

pub fn remotes(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    if tcp.remotes.is_empty() {
        return;
    }
    let head = match tcp.by {
        Some(FlowsBy::Subnet) => "REMOTE NETWORK",
        Some(FlowsBy::Port) => "PORT",
        _ => "REMOTE",
    };
    let mut table = Table::new().right("OPEN/s", 6).right("FAIL/s", 6);
    for head in ["p50", "p90", "p99", "MAX"] {
        table = table.close(head, 5);
    }
    table = table.left(bar::spark_head(view.narrow()), 0).left(head, 0).left("FAILED", 0);
    for row in tcp.remotes.iter().take(view.top) {
        let established = row.outcomes[Outcome::Established as usize];
        let latency = &row.latency;
        let mut cells =
            vec![format::rate(established, snapshot.interval), format::rate(failed(&row.outcomes), snapshot.interval)];
        if latency.count == 0 {
            cells.extend([UNKNOWN; 4].map(String::from));
        } else {
            cells.extend([latency.p50_ns, latency.p90_ns, latency.p99_ns, latency.max_ns].map(format::duration));
        }
        cells.push(bar::spark(latency, view.narrow()));
        let remote = match &row.group {
            Some(group) => group.clone(),
            None => one_end(&row.end, row.netns),
        };
        cells.extend([remote, why(&row.outcomes)]);
        table.row(cells);
    }
    text.push('\n');
    table.draw(text, view);
    more(text, tcp.remotes.len(), view);
}
