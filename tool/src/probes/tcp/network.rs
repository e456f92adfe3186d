//! The kernel's own counters of our network namespace.

use std::{collections::BTreeMap, fs};

use crate::sample::Network;

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

/// Totals since boot. A counter that this kernel does not have is left out.
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
