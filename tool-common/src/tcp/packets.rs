//! The last packets of a CPU.

/// Kept of a packet, from its network header on: headers, and of what it carries what lies behind them. What lies in pages is out of reach.
pub const KEPT: usize = 216;

/// A packet, in a ring whose oldest entry the next one takes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Among those of its ring, from 1 on; 0: none, or one that is being written.
    pub number: u64,
    pub at_ns: u64,
    /// Number of the device's network namespace.
    pub netns: u32,
    /// Number of the device there, and its name.
    pub device: u32,
    pub name: [u8; 16],
    /// Bytes from the network header on, and how many of them are kept.
    pub length: u32,
    pub kept: u32,
    pub bytes: [u8; KEPT],
}

const _: () = assert!(size_of::<Packet>() == 264);
