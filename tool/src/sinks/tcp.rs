//! What TCP retransmitted, and the connections that it opened, as text.

pub mod connects;
pub mod drops;
pub mod events;
pub mod flows;
pub mod listeners;
pub mod live;
pub mod resets;
pub mod sockets;
#[cfg(test)]
pub mod tests;
pub mod windows;

use super::{
    View, format,
    table::Noted,
    who::{self, one},
};
use crate::snapshot::{
    Snapshot,
    tcp::{End, Owners, RetransmitKind, Tcp},
};

/// How it runs, for the header.
pub fn mode(tcp: &Tcp) -> &'static str {
    if tcp.events_only { "tcp events" } else { "tcp" }
}

pub fn draw(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let unknown = listeners::unknown(tcp).into_iter().chain(windows::unknown(tcp)).chain(sockets::unknown(tcp));
    for line in totals(tcp, snapshot).into_iter().chain(unknown.map(|line| view.dim(&line))) {
        *text += &line;
        text.push('\n');
    }
    events::draw(text, tcp, snapshot, view);
    flows::draw(text, tcp, snapshot, view);
    resets::draw(text, tcp, snapshot, view);
    connects::events(text, tcp, snapshot, view);
    connects::remotes(text, tcp, snapshot, view);
    listeners::draw(text, tcp, snapshot, view);
    windows::draw(text, tcp, snapshot, view);
    sockets::draw(text, tcp, snapshot, view);
    drops::draw(text, tcp, snapshot, view);
}

/// Of all connections of the host, and what the kernel itself counted.
fn totals(tcp: &Tcp, snapshot: &Snapshot) -> Vec<String> {
    let totals = &tcp.totals;
    let mut lines = Vec::new();
    if totals.attempts == 0 {
        lines.push("nothing was retransmitted in this interval".to_owned());
    } else {
        let kinds = RetransmitKind::ALL.into_iter().zip(totals.by_kind).filter(|&(_, count)| count > 0);
        let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{} {}", format::count(count), kind.name())).collect();
        let segments = format::plural(totals.segments, "segment", "segments");
        let rate = format::rate(totals.segments, snapshot.interval);
        let mut line = format!("{segments} retransmitted ({rate}/s): {}", kinds.join(", "));
        if totals.failed > 0 {
            line += &format!("; {} failed on this host", format::plural(totals.failed, "attempt", "attempts"));
        }
        lines.push(line);
        if tcp.events.retransmits.is_empty() && tcp.filtered {
            lines.push("none of them on such a connection".to_owned());
        }
    }
    lines.extend(sampled(tcp));
    lines.extend(connects::total(tcp, snapshot));
    lines.extend(resets::total(tcp));
    lines.extend(drops::total(tcp, snapshot));
    lines.extend(network(tcp));
    lines
}

fn sampled(tcp: &Tcp) -> Option<String> {
    let sampled = tcp.totals.sampled;
    let events = format::plural(sampled, "event is", "events are");
    (sampled > 0).then(|| format!("{events} in the sums only: too many to list"))
}

/// What else went wrong in our network namespace.
fn network(tcp: &Tcp) -> Option<String> {
    const WORDS: [(&str, &str); 8] = [
        ("attempt_fails", "connections that failed"),
        ("estab_resets", "connections reset"),
        ("out_rsts", "resets sent"),
        ("listen_overflows", "accept queue overflows"),
        ("syn_queue_drops", "half-open queue overflows"),
        ("syn_queue_cookies", "half-open queue overflows that cookies took"),
        ("timeouts", "timeouts"),
        ("loss_probes", "loss probes"),
    ];
    let count = |name: &str| tcp.network.get(name).copied().filter(|&count| count > 0);
    let parts: Vec<_> =
        WORDS.iter().filter_map(|&(name, words)| Some(format!("{words} {}", format::count(count(name)?)))).collect();
    (!parts.is_empty()).then(|| format!("this network namespace, as the kernel counts: {}", parts.join(", ")))
}

/// Both ends, and where that is not here.
fn pair(local: &End, remote: &End, netns: Option<u32>) -> String {
    format!("{local} → {}", one_end(remote, netns))
}

fn one_end(end: &End, netns: Option<u32>) -> String {
    let netns = netns.map_or_else(String::new, |netns| format!(" (netns {netns})"));
    format!("{end}{netns}")
}

/// As a cell, with what is not known of it.
fn noted(of: &Owners) -> Noted {
    who::noted(&of.who, owners(of))
}

/// The process, or all that share the socket.
fn owners(owners: &Owners) -> String {
    let mut text = one(&owners.who);
    if !owners.shared.is_empty() {
        let all: Vec<_> = owners.shared.iter().map(one).collect();
        text = format!("shared: {}", all.join(", "));
    }
    if owners.past { format!("{text} (closed since)") } else { text }
}
