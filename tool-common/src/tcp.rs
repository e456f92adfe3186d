//! Wire types of the `tcp` probe.

mod connects;
mod drops;
mod listeners;
mod packets;
mod resets;

pub use connects::{Connect, Opened, Outcome, Remote, UNTIMED};
pub use drops::{DropSite, Dropped, Drops};
pub use listeners::{Holding, Listener, SocketSeen};
pub use packets::{HEADERS, KEPT, PAYLOAD, Packet};
pub use resets::{Direction, Reset};

use crate::io::OwnerId;

/// The two ends of a connection. IPv4 addresses as IPv6 writes them (`::ffff:10.0.0.1`), ports in host order.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    pub local: [u8; 16],
    pub remote: [u8; 16],
    pub local_port: u16,
    pub remote_port: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
}

/// Why a segment was retransmitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum RetransmitKind {
    /// Nothing was heard until the retransmission timer ran out (loss state).
    Timeout,
    /// Later segments arrived: duplicate or selective acknowledgements (recovery state).
    Fast,
    /// The last segment, to find out whether it was lost (tail loss probe).
    TailLossProbe,
    Syn,
    SynAck,
    Other,
}

impl RetransmitKind {
    pub const ALL: [RetransmitKind; 6] = [
        RetransmitKind::Timeout,
        RetransmitKind::Fast,
        RetransmitKind::TailLossProbe,
        RetransmitKind::Syn,
        RetransmitKind::SynAck,
        RetransmitKind::Other,
    ];

    /// From its number.
    pub fn of(number: u8) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Other)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "rto",
            Self::Fast => "fast",
            Self::TailLossProbe => "tlp",
            Self::Syn => "syn",
            Self::SynAck => "synack",
            Self::Other => "other",
        }
    }
}

/// One attempt to retransmit, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Retransmit {
    pub at_ns: u64,
    /// Address of the socket; of the listening one for a SYN-ACK.
    pub sock: u64,
    /// Number of the socket's inode; 0 when no process holds it any more.
    pub inode: u64,
    pub ends: Ends,
    pub bytes: u32,
    /// Of at most one MSS each, as the kernel counts them: one attempt may carry several.
    pub segments: u32,
    /// Smoothed round-trip time; 0: not measured yet.
    pub srtt_us: u32,
    pub cwnd: u32,
    pub ssthresh: u32,
    /// Segments sent and neither acknowledged nor known to be lost.
    pub in_flight: u32,
    /// 0, or the errno with which the attempt failed on this host.
    pub error: i32,
    /// What the other side lets us send beyond what it has acknowledged, in bytes.
    pub window: u32,
    /// Timeouts in a row.
    pub retransmits: u8,
    /// How often the timer was doubled.
    pub backoff: u8,
    /// `TCP_ESTABLISHED` (1) …
    pub state: u8,
    /// [`RetransmitKind`].
    pub kind: u8,
    pub pad: u32,
}

/// What was retransmitted on one connection. Added to atomically, the last state apart.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Flow {
    /// The last attempt, and the socket then.
    pub at_ns: u64,
    pub attempts: u64,
    pub failed: u64,
    pub segments: u64,
    pub bytes: u64,
    pub sock: u64,
    pub inode: u64,
    /// Since the connection began: segments sent, and of these retransmitted.
    pub sent: u32,
    pub sent_again: u32,
    pub srtt_us: u32,
    pub state: u8,
    /// [`RetransmitKind`] of the last.
    pub kind: u8,
    pub pad: u16,
}

/// A process that opened or closed a socket, by the socket's address.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Opener {
    pub owner: OwnerId,
    /// When that was, and the number of the socket's inode: addresses are used again.
    pub at_ns: u64,
    pub inode: u64,
    pub cgroup: u64,
    pub comm: [u8; 16],
}

named! {
    /// Why something was not shown, as users read it. Every one is counted.
    Loss {
        /// The ring was full: an attempt is in the sums, but not among the events.
        Events: "tcp events full",
        /// The table of flows was full: an attempt is in the totals only.
        Flows: "retransmitting flows full",
        /// The table of remotes was full: a connection is in the totals only.
        Remotes: "remotes full",
        /// The table of drops was full: a packet is in the totals only.
        Drops: "drops full",
        /// More than [`DROPS_LOOKED_AT`]: a packet is in the totals only.
        Flood: "drops in a flood",
        /// The table of listeners was full: one is not shown.
        Listeners: "listeners full",
    }
}

named! {
    /// Programs whose runs are counted.
    Program {
        Retransmit: "tcp_retransmit_skb",
        SynAck: "tcp_retransmit_synack",
        State: "inet_sock_set_state",
        ResetSent: "tcp_send_reset",
        ResetReceived: "tcp_receive_reset",
        Drop: "kfree_skb",
        PacketSent: "net_dev_queue",
        PacketReceived: "netif_receive_skb",
    }
}

/// All that one CPU counts. Added to atomically: attempts are made in system calls and in interrupts.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, Debug)]
pub struct PerCpu {
    pub runs: [u64; Program::ALL.len()],
    pub lost: [u64; Loss::ALL.len()],
    /// Segments by [`RetransmitKind`], as the kernel's own counter has them.
    pub segments: [u64; RetransmitKind::ALL.len()],
    pub attempts: u64,
    pub failed: u64,
    pub bytes: u64,
    /// Attempts that were counted and not handed over as events, because there were too many.
    pub sampled: u64,
    /// When the current second of events began, and how many there were since; drops, of which there may be many, apart.
    pub second_ns: u64,
    pub events: u64,
    pub drop_second_ns: u64,
    pub drop_events: u64,
    /// Connections opened, by [`Outcome`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Resets, by [`Direction`].
    pub resets: [u64; 2],
    /// An attempt while it is looked at, by [`Program`]: a program's stack has no room for it.
    pub attempt: [Retransmit; 2],
    pub connect: Connect,
    /// By [`Direction`].
    pub reset: [Reset; 2],
    pub dropped: Dropped,
    /// Packets of TCP that were dropped.
    pub drops: u64,
    /// Packets that were kept, by [`Direction`].
    pub packets: [u64; 2],
    pub pad: [u64; 6],
}

/// Events that one CPU hands over in a second: more than a person reads, less than hurts.
pub const EVENTS_PER_SECOND: u64 = 500;
/// The same of dropped packets.
pub const DROPS_PER_SECOND: u64 = 200;
/// Dropped packets of which one CPU finds out, in a second, where and why: others can cause any number of them.
pub const DROPS_LOOKED_AT: u64 = 20_000;

// The kernel side is compiled for another target; both must agree to the byte.
const _: () = assert!(size_of::<Ends>() == 40 && size_of::<Retransmit>() == 104 && size_of::<Flow>() == 72);
const _: () = assert!(size_of::<Opener>() == 48 && size_of::<PerCpu>() == 1024);

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, padding spelled out.
    unsafe impl aya::Pod for Ends {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Flow {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Opener {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Remote {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Opened {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DropSite {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Drops {}
}
