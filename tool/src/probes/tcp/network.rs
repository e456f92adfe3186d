//! The kernel's own counters of network namespaces.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Read,
    time::Duration,
};

use crate::{
    kernel::{
        namespaces::{home, inhabitants},
        pace::Pace,
    },
    sample::{Namespace, Network, NetworkLimits},
};

/// Namespaces whose counters are read: for each the kernel adds up those of all CPUs.
const LOOKED_AT: usize = 16;
/// Between two looks for them.
const REST: Duration = Duration::from_secs(30);
/// After counting what is in them, so many times as long without: a thousandth of a CPU.
const COUNTS_REST: u32 = 1000;

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
    ("/proc/net/netstat", "TcpExt:", "TCPReqQFullDrop", "syn_queue_drops"),
    ("/proc/net/netstat", "TcpExt:", "TCPReqQFullDoCookies", "syn_queue_cookies"),
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
pub struct Namespaces {
    inhabitants: HashMap<u32, u32>,
    looked: Option<Duration>,
    /// What each had when it was counted last: no rate is made of it, and it is three files of each.
    counts: HashMap<u32, Population>,
    pace: Pace,
}

/// TCP sockets, connections in TIME-WAIT, and those that the firewall keeps track of.
#[derive(Clone, Copy, Default)]
struct Population {
    sockets: Option<u64>,
    time_wait: Option<u64>,
    tracked: Option<u64>,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { inhabitants: HashMap::new(), looked: None, counts: HashMap::new(), pace: Pace::new(COUNTS_REST) }
    }
}

impl Namespaces {
    /// Each of them, ours first; and how many were not looked at. `now`: on any clock.
    pub fn read(&mut self, now: Duration) -> (HashMap<u32, Namespace>, usize) {
        if self.looked.is_none_or(|looked| now >= looked + REST) {
            self.inhabitants = inhabitants();
            self.looked = Some(now);
        }
        let lives_there = |(netns, pid): &(&u32, &u32)| home(**pid) == Some(**netns);
        let own = home(std::process::id());
        let mut all: Vec<_> = self.inhabitants.iter().filter(lives_there).collect();
        all.sort_unstable_by_key(|&(&netns, _)| (Some(netns) != own, netns));
        let left_out = all.len().saturating_sub(LOOKED_AT);
        all.truncate(LOOKED_AT);
        if self.pace.has_rested(now) {
            let count = || all.iter().map(|&(&netns, &pid)| (netns, counts(pid))).collect();
            self.counts = self.pace.walk(now, count);
        }
        let of = |(&netns, &pid): (&u32, &u32)| {
            Some((netns, namespace(pid, self.counts.get(&netns).copied().unwrap_or_default())?))
        };
        (all.into_iter().filter_map(of).collect(), left_out)
    }
}

/// The one that a process lives in.
fn namespace(inhabitant: u32, Population { sockets, time_wait, tracked }: Population) -> Option<Namespace> {
    let text = fs::read_to_string(format!("/proc/{inhabitant}/net/snmp")).ok()?;
    let (none, opened) = (counter(&text, "Ip:", "OutNoRoutes")?, counter(&text, "Tcp:", "ActiveOpens")?);
    Some(Namespace { none, opened, sockets, time_wait, tracked, inhabitant })
}

fn counts(inhabitant: u32) -> Population {
    let read = |file: &str| fs::read_to_string(format!("/proc/{inhabitant}/net/{file}")).unwrap_or_default();
    let (sockets, sockets6) = (read("sockstat"), read("sockstat6"));
    let in_use = [gauge(&sockets, "TCP:", "inuse"), gauge(&sockets6, "TCP6:", "inuse")];
    Population {
        sockets: in_use.into_iter().flatten().reduce(|sum, part| sum + part),
        time_wait: gauge(&sockets, "TCP:", "tw"),
        tracked: tracked(inhabitant),
    }
}

/// The first line has names and each of the others, one per CPU, begins with the same number: the rest is not read.
fn tracked(inhabitant: u32) -> Option<u64> {
    let mut text = [0; 512];
    let bytes = fs::File::open(format!("/proc/{inhabitant}/net/stat/nf_conntrack")).ok()?.read(&mut text).ok()?;
    entries(&String::from_utf8_lossy(&text[..bytes]))
}

fn entries(text: &str) -> Option<u64> {
    u64::from_str_radix(text.lines().nth(1)?.split_ascii_whitespace().next()?, 16).ok()
}

/// Of our namespace. There is no other way to those of others than to go there; the one for connections that are tracked is of the whole
/// host on most kernels.
pub fn limits() -> NetworkLimits {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/{name}")).ok()?.trim().parse().ok();
    // 0 is no limit, or none at all.
    let number = |name: &str| read(name).filter(|&most| most > 0);
    NetworkLimits { time_wait: number("ipv4/tcp_max_tw_buckets"), tracked: number("netfilter/nf_conntrack_max") }
}

/// A line of names, each with its value behind it.
fn gauge(text: &str, line: &str, field: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|text| text.strip_prefix(line))?.split_ascii_whitespace();
    words.find(|&word| word == field)?;
    words.next()?.parse().ok()
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
        let text = "sockets: used 285\nTCP: inuse 37 orphan 0 tw 5 alloc 48 mem 0\nUDP: inuse 4 mem 2\n";
        assert_eq!((gauge(text, "TCP:", "tw"), gauge(text, "UDP:", "inuse")), (Some(5), Some(4)));
        assert_eq!((gauge(text, "UDP:", "tw"), gauge(text, "TCP6:", "inuse")), (None, None));
    }

    #[test]
    fn tracked_connections_are_a_hexadecimal_number_below_its_name() {
        let text = "entries  clashres found\n0000011a  00000000 00000000\n0000011a  000";
        assert_eq!((entries(text), entries("entries  clashres found\n"), entries("")), (Some(282), None, None));
    }
}
