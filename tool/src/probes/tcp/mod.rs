//! The `tcp` probe, seen from user space; `docs/probes/tcp.md` has the whole story.

mod close_wait;
mod functions;
mod holders;
mod network;
mod packets;
mod pending;
mod ports;
mod reader;
pub mod reasons;
mod sockets;

pub use reader::Reader;
#[cfg(test)]
pub use reader::causes;

use aya::Ebpf;

use super::{Counters, Probe, Read, Tick, With};
use crate::{
    cli::plan::{self, Plan},
    for_tests,
    kernel::{
        facts::{self, Facts},
        loader::{Hook, LoadError},
        pages::Pages,
    },
    sample,
};

pub const PROBE: Probe =
    Probe { per_processor: &["TCP_CPU"], hooks, entries, set, ..Probe::without_hooks("tcp", "TCP_") };

const RETRANSMIT: Hook = Hook::tp_btf("tcp_retransmit_skb", "segments that are retransmitted");
const SYNACK: Hook = Hook::tp_btf("tcp_retransmit_synack", "SYN-ACKs that are retransmitted").optional();
const STATE: Hook =
    Hook::tp_btf("inet_sock_set_state", "connections that are opened, and owners of those that were closed").optional();

const RESET_SENT: Hook = Hook::tp_btf("tcp_send_reset", "connections that this host breaks off").optional();
const RESET_RECEIVED: Hook = Hook::tp_btf("tcp_receive_reset", "connections that the other side breaks off").optional();

const DROP: Hook = Hook::tp_btf("kfree_skb", "packets that are dropped").optional();
const PACKET_SENT: Hook = Hook::tp_btf("net_dev_queue", "packets that are sent").optional();
const PACKET_RECEIVED: Hook = Hook::tp_btf("netif_receive_skb", "packets that are received").optional();
/// Read at ticks.
const LISTENERS: Hook = Hook::iter(LISTENER_ITER, "bpf_map_elem", "accept queues").later();
/// Read when a socket's holder is not known.
const DESCRIPTORS: Hook = Hook::iter(DESCRIPTOR_ITER, "task_file", "processes that hold sockets").later();
/// Read at ticks.
const SOCKETS: Hook =
    Hook::iter(SOCKET_ITER, "task_file", "sockets by process and state, and connections whose window is closed")
        .later();
const LISTENER_ITER: &str = "listener_iter";
const DESCRIPTOR_ITER: &str = "descriptor_iter";
const SOCKET_ITER: &str = "socket_iter";

fn hooks(plan: &Plan) -> Vec<Hook> {
    let Some(plan) = &plan.tcp else { return vec![] };
    let mut hooks = vec![LISTENERS, DESCRIPTORS, SOCKETS, STATE, RESET_SENT, RESET_RECEIVED, SYNACK, RETRANSMIT];
    if plan.drops {
        hooks.push(DROP);
    }
    if plan.pcap.is_some() {
        hooks.extend([PACKET_SENT, PACKET_RECEIVED]);
    }
    hooks
}

/// Connections on which something was retransmitted.
const FLOWS: u32 = 2048;
/// Sockets that were opened or closed.
const OPENERS: u32 = 4096;
/// Connections that this host closed first.
const LEFT: u32 = 2048;
/// Remotes to which connections are opened, times the octaves that these took.
const REMOTES: u32 = 2048;
/// Places where packets are dropped, times reasons and ports.
const DROPS: u32 = 1024;
const LISTENERS_KEPT: u32 = 2048;
const EVENT_BYTES: u32 = 256 << 10;

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    let Some(plan) = &plan.tcp else { return vec![("TCP_CPU", 1)] };
    vec![
        ("TCP_CPU", processors),
        ("TCP_FLOWS", for_tests::entries("STILLWATCH_FLOWS").unwrap_or(FLOWS)),
        ("TCP_REMOTES", for_tests::entries("STILLWATCH_REMOTES").unwrap_or(REMOTES)),
        ("TCP_OPENERS", OPENERS),
        ("TCP_LEFT", LEFT),
        ("TCP_DROPS", if plan.drops { for_tests::entries("STILLWATCH_DROPS").unwrap_or(DROPS) } else { 1 }),
        ("TCP_LISTENERS", for_tests::entries("STILLWATCH_LISTENERS").unwrap_or(LISTENERS_KEPT)),
        ("TCP_EVENTS", EVENT_BYTES),
        ("TCP_PACKETS", if plan.pcap.is_some() { 2 * processors * packets::kept(processors) } else { 1 }),
        ("TCP_PACKET_PORTS", if plan.pcap.is_some() { packets::PORT_WORDS } else { 1 }),
    ]
}

fn set(plan: &Plan, facts: &mut Facts) {
    if let Some(tcp) = &plan.tcp {
        facts.set(&facts::TCP_PACKETS_KEPT, packets::kept(aya::util::nr_cpus().unwrap_or(1) as u32));
        facts.set(&facts::TCP_SLOW_NS, u64::try_from(tcp.slow.as_nanos()).unwrap_or(u64::MAX));
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        if let Some(first) = range.split_ascii_whitespace().next().and_then(|first| first.parse().ok()) {
            facts.set(&facts::EPHEMERAL_PORTS, first);
        }
        if tcp.pcap.as_ref().is_some_and(|pcap| pcap.payload > 0) {
            set_pages(facts);
        }
    }
}

fn set_pages(facts: &mut Facts) {
    match Pages::read(procfs::page_size()) {
        Ok(pages) => {
            facts.set(&facts::TCP_PAGES_FROM, pages.descriptions);
            facts.set(&facts::TCP_PAGES_AT, pages.memory);
            facts.set(&facts::TCP_PAGES_SHIFT, pages.shift);
        }
        Err(why) => {
            facts.missing.push(("of what packets carry, only what lies behind their headers is kept", why.to_string()))
        }
    }
}

impl Read for Reader {
    type Plan = plan::Tcp;
    type Part = sample::Tcp;

    fn open(ebpf: &mut Ebpf, plan: &plan::Tcp, with: &With) -> Result<Self, LoadError> {
        Self::new(ebpf, plan, with)
    }

    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(sample::Tcp, Counters)> {
        self.read(tick.now.clock, tick.last)
    }
}
