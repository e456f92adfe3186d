//! The kernel's own counters of network namespaces.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    time::Duration,
};

use crate::{
    kernel::namespaces::{home, inhabitants},
    sample::{Network, Routes},
};

/// Namespaces whose counters are read: for each the kernel adds up those of all CPUs.
const LOOKED_AT: usize = 16;
/// Between two looks for them.
const REST: Duration = Duration::from_secs(30);

/// (file, line, field, our name).
const COUNTERS: &[(&str, &str, &str, &str)] = &[
    ("/proc/net/snmp", "Tcp:", "OutSegs", "out_segs"),
    ("/proc/net/snmp", "Tcp:", "RetransSegs", "retrans_segs"),
    ("/proc/net/snmp", "Tcp:", "ActiveOpens", "active_opens"),
    ("/proc/net/snmp", "Tcp:", "PassiveOpens", "passive_opens"),
    ("/proc/net/snmp", "Tcp:", "AttemptFails", "attempt_fails"),
    ("/proc/net/snmp", "Tcp:", "EstabResets", "estab_resets"),
    ("/proc/net/snmp", "Tcp:", "OutRsts", "out_rsts"),
    ("/proc/net/netstat", "TcpExt:", "ListenOverflows", "listen_overflows"),
    ("/proc/net/netstat", "TcpExt:", "ListenDrops", "listen_drops"),
    ("/proc/net/netstat", "TcpExt:", "TCPTimeouts", "timeouts"),
    ("/proc/net/netstat", "TcpExt:", "TCPLossProbes", "loss_probes"),
    ("/proc/net/netstat", "TcpExt:", "TCPSynRetrans", "syn_retrans"),
    ("/proc/net/netstat", "TcpExt:", "TCPRetransFail", "retrans_fail"),
];

/// Totals of ours since boot. A counter that this kernel does not have is left out.
pub fn read() -> Network {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut network = Network::new();
    for &(file, line, field, name) in COUNTERS {
        let text = texts.entry(file).or_insert_with(|| fs::read_to_string(file).unwrap_or_default());
        if let Some(value) = counter(text, line, field) {
            network.insert(name, value);
        }
    }
    network
}

/// Network namespaces in which somebody lives.
#[derive(Default)]
pub struct Namespaces {
    inhabitants: HashMap<u32, u32>,
    looked: Option<Duration>,
}

impl Namespaces {
    /// What had no route in each of them, since it was made, ours first; and how many were not looked at. `now`: on any clock.
    pub fn routes(&mut self, now: Duration) -> (HashMap<u32, Routes>, usize) {
        if self.looked.is_none_or(|looked| now >= looked + REST) {
            self.inhabitants = inhabitants();
            self.looked = Some(now);
        }
        let lives_there = |(netns, pid): &(&u32, &u32)| home(**pid) == Some(**netns);
        let of = |(&netns, &pid)| {
            let text = fs::read_to_string(format!("/proc/{pid}/net/snmp")).ok()?;
            let (none, opened) = (counter(&text, "Ip:", "OutNoRoutes")?, counter(&text, "Tcp:", "ActiveOpens")?);
            Some((netns, Routes { none, opened, inhabitant: pid }))
        };
        let own = home(std::process::id());
        let mut all: Vec<_> = self.inhabitants.iter().filter(lives_there).collect();
        all.sort_unstable_by_key(|&(&netns, _)| (Some(netns) != own, netns));
        let left_out = all.len().saturating_sub(LOOKED_AT);
        (all.into_iter().take(LOOKED_AT).filter_map(of).collect(), left_out)
    }
}

/// Two lines that begin alike: names, and under them values.
fn counter(text: &str, line: &str, field: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|text| text.strip_prefix(line));
    let at = lines.next()?.split_ascii_whitespace().position(|name| name == field)?;
    lines.next()?.split_ascii_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_under_their_names() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoMin MaxConn OutSegs\nTcp: 200 -1 37\n";
        assert_eq!(counter(text, "Tcp:", "OutSegs"), Some(37));
        assert_eq!(counter(text, "Tcp:", "MaxConn"), None);
        assert_eq!(counter(text, "Udp:", "OutSegs"), None);
    }
}
