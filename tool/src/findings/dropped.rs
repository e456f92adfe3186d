//! Packets that this host itself dropped: a finding about their connections says so, and does not ask where on the path they were lost.
//!
//! TCP's own verdicts on packets that did arrive (an old one, one for no socket) are no loss.

use std::collections::BTreeMap;

use super::words::netns;
use crate::{
    format,
    snapshot::{
        finding::{Evidence, Value},
        tcp::{DropCause, Dropped, Tcp},
    },
};

/// Of TCP's reasons, those for which it does not look at the packet.
const UNSEEN: &[&str] = &["tcp csum", "tcp auth", "tcp md5", "tcp ao", "tcp listen", "tcp minttl"];
const VERDICTS: &[&str] = &["no socket", "socket close", "queue purge", "otherhost"];

pub struct Here {
    pub packets: u64,
    /// Most of them: `netfilter drop in nf_hook_slow`.
    cause: String,
}

/// Those of the single events that `is_own` says are of a finding's connections.
pub fn here(tcp: &Tcp, is_own: impl Fn(&Dropped) -> bool) -> Option<Here> {
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for event in tcp.events.drops.iter().filter(|event| is_own(event) && is_lost(&event.cause)) {
        *causes.entry(words(event)).or_default() += 1;
    }
    let packets = causes.values().sum();
    let (cause, _) = causes.into_iter().max_by_key(|&(_, packets)| packets)?;
    Some(Here { packets, cause })
}

impl Here {
    /// The end of a statement.
    pub fn words(&self) -> String {
        format!("{} dropped on this host: {}", format::plural(self.packets, "packet was", "packets were"), self.cause)
    }

    pub fn evidence(&self) -> Evidence {
        Evidence {
            probe: "tcp",
            what: format!("packets dropped on this host ({})", self.cause),
            value: Value::Count(self.packets),
        }
    }
}

fn is_lost(cause: &DropCause) -> bool {
    match cause.reason.value().map(String::as_str) {
        None | Some("not specified") => cause.is_of_firewall(),
        Some(reason) if reason.starts_with("tcp ") => UNSEEN.iter().any(|unseen| reason.starts_with(unseen)),
        Some(reason) => !VERDICTS.contains(&reason),
    }
}

fn words(event: &Dropped) -> String {
    let (reason, function) = (event.cause.reason.value(), event.cause.function.value());
    let cause = match (reason, function) {
        (Some(reason), Some(function)) => format!("{reason} in {function}"),
        (Some(reason), None) => reason.clone(),
        (None, function) => format!("in {}", function.map_or("an unknown function", String::as_str)),
    };
    let full = event.connections_full.as_ref();
    let full = full.map_or_else(String::new, |full| format!(", the table of connections there is full ({full})"));
    cause + &netns(event.netns) + &full
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Known;

    #[test]
    fn what_tcp_has_looked_at_is_not_lost() {
        let is_lost = |reason: Option<&str>, function: &str| {
            let reason = reason.map_or(Known::unavailable("old kernel"), |reason| Known::Value(reason.to_owned()));
            super::is_lost(&DropCause { reason, function: Known::Value(function.to_owned()) })
        };
        assert!(is_lost(Some("netfilter drop"), "nf_hook_slow") && is_lost(Some("tcp md5failure"), "tcp_v4_rcv"));
        assert!(is_lost(None, "nf_hook_slow") && is_lost(Some("not specified"), "nft_do_chain"));
        assert!(!is_lost(None, "tcp_v4_rcv") && !is_lost(Some("not specified"), "tcp_v4_rcv"));
        assert!(!is_lost(Some("no socket"), "tcp_v4_rcv") && !is_lost(Some("tcp old data"), "tcp_data_queue"));
    }
}
