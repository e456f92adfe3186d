//! The last packets of a CPU.

/// Kept of a packet, from its network header on: at most so much of headers, and of what it carries.
pub const HEADERS: usize = 128;
pub const PAYLOAD: usize = 128;
pub const KEPT: usize = HEADERS + PAYLOAD;

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

const _: () = assert!(size_of::<Packet>() == 304);
