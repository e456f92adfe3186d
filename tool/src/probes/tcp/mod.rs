//! The `tcp` probe, seen from user space; `docs/probes/tcp.md` has the whole story.

mod holders;
mod network;
mod reader;

pub use reader::Reader;

use super::Probe;
use crate::{
    cli::plan::Plan,
    kernel::{facts::Facts, loader::Hook},
};

pub const PROBE: Probe =
    Probe { name: "tcp", maps: "TCP_", per_processor: &["TCP_CPU"], hooks, entries, resolve: Facts::resolve_tcp, set };

const RETRANSMIT: Hook = Hook::tp_btf("tcp_retransmit_skb", "segments that are sent again");
const SYNACK: Hook = Hook::tp_btf("tcp_retransmit_synack", "SYN-ACKs that are sent again").optional();
const STATE: Hook = Hook::tp_btf("inet_sock_set_state", "owners of connections that were closed").optional();

fn hooks(plan: &Plan) -> Vec<Hook> {
    if plan.tcp.is_some() { vec![STATE, SYNACK, RETRANSMIT] } else { vec![] }
}

/// Connections on which something was sent again.
const FLOWS: u32 = 2048;
/// Sockets that were opened or closed.
const OPENERS: u32 = 4096;
const EVENT_BYTES: u32 = 512 << 10;

fn entries(plan: &Plan, processors: u32) -> Vec<(&'static str, u32)> {
    if plan.tcp.is_none() {
        return vec![("TCP_CPU", 1)];
    }
    let flows = std::env::var("STILLWATCH_FLOWS").ok().and_then(|flows| flows.parse().ok());
    vec![
        ("TCP_CPU", processors),
        ("TCP_FLOWS", flows.unwrap_or(FLOWS)),
        ("TCP_OPENERS", OPENERS),
        ("TCP_EVENTS", EVENT_BYTES),
    ]
}

fn set(_plan: &Plan, _facts: &mut Facts) {}
