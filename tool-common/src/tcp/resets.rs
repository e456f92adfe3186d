//! Connections that one side breaks off.

use super::{Ends, Opener};

/// A connection that one side broke off, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Reset {
    pub at_ns: u64,
    /// Address of the socket; 0: there is none for the packet that was answered.
    pub sock: u64,
    /// Number of the socket's inode; 0: no process holds it.
    pub inode: u64,
    pub ends: Ends,
    /// Who opened or closed the socket; all zeros: not seen, or it only listens.
    pub opener: Opener,
    /// `enum sk_rst_reason`, of those sent, on kernels that tell it; 0 elsewhere.
    pub reason: u32,
    /// `TCP_ESTABLISHED` (1) …; 0: no socket.
    pub state: u8,
    /// [`Direction`].
    pub direction: u8,
    pub pad: u16,
}

/// Who broke a connection off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Direction {
    /// This host.
    Sent,
    /// The other side.
    Received,
}

impl Direction {
    pub const ALL: [Direction; 2] = [Direction::Sent, Direction::Received];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

const _: () = assert!(size_of::<Reset>() == 120);
