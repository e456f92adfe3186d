//! Connections that were opened, or failed to be.

use super::{one_end, pair};
use crate::{
    sinks::{
        View,
        format::{self, UNKNOWN},
        rows::Rows,
        table::Noted,
        values::Show,
        who,
    },
    snapshot::{
        Snapshot,
        tcp::{Connect, FlowsBy, Outcome, Remote, Tcp, failed},
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
pub fn events(text: &mut String, tcp: &Tcp, snapshot: &Snapshot, view: &View) {
    let connects = &tcp.events.connects;
    if connects.is_empty() {
        return;
    }
    let all: Vec<&Connect> = connects.iter().collect();
    text.push('\n');
    Rows::new(view, snapshot.interval).own(own).draw_some(text, &all[all.len().saturating_sub(view.top)..], &all);
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
    text.push('\n');
    Rows::new(view, snapshot.interval)
        .head("REMOTE", head.to_owned())
        .own(own_of_remote)
        .draw_bounded(text, &tcp.remotes);
}

/// Columns that only this table can put into words.
pub fn own(row: &Connect, name: &str, _: &Show) -> Noted {
    match name {
        "outcome" => outcome(row).into(),
        "connection" => pair(&row.local, &row.remote, row.netns).into(),
        "owner" => who::noted(&row.who, who::one(&row.who)),
        _ => Noted::default(),
    }
}

pub fn own_of_remote(row: &Remote, name: &str, show: &Show) -> Noted {
    let rate = |count| format::rate(count, show.interval).into();
    match name {
        "opened" => rate(row.outcomes[Outcome::Established as usize]),
        "failed" => rate(failed(&row.outcomes)),
        "remote" => row.group.clone().unwrap_or_else(|| one_end(&row.end, row.netns)).into(),
        "why" => why(&row.outcomes).into(),
        _ => Noted::default(),
    }
}
