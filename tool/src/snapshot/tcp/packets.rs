//! Packets, as evidence.

use jiff::Timestamp;

use super::{Direction, End};

/// A packet that was kept because of what happened to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at: Timestamp,
    pub direction: Direction,
    pub device: Device,
    /// Who sent it, and to whom.
    pub from: End,
    pub to: End,
    /// From the network header on.
    pub length: u32,
    /// The first of them.
    pub bytes: Vec<u8>,
}

/// Where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    pub netns: u32,
    pub number: u32,
    pub name: String,
}
