//! Packets that the kernel drops.

use super::Ends;

/// One of them, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Dropped {
    pub at_ns: u64,
    /// A return address into the function that dropped it.
    pub location: u64,
    /// Address of the socket it was for, or from; 0: it had none yet.
    pub sock: u64,
    /// Number of the socket's inode; 0: no process holds it.
    pub inode: u64,
    /// As the receiver sees them.
    pub ends: Ends,
    /// All of it, from the header on that the kernel was at.
    pub bytes: u32,
    /// `enum skb_drop_reason`; 0 on kernels that tell none.
    pub reason: u32,
    /// The header's: FIN (1), SYN (2), RST (4), PSH (8), ACK (16) …
    pub flags: u8,
    /// `TCP_ESTABLISHED` (1) …; 0: no socket.
    pub state: u8,
    pub pad: [u8; 2],
    /// The header's.
    pub sequence: u32,
}

/// Where and why packets are dropped.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct DropSite {
    pub location: u64,
    pub reason: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The lower of the two: the service's, on most hosts. 0: both are of the range that is given to those who connect.
    pub port: u16,
    pub pad: [u16; 3],
}

/// Counts of one [`DropSite`]. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Drops {
    pub packets: u64,
    pub bytes: u64,
}

const _: () = assert!(size_of::<Dropped>() == 88 && size_of::<DropSite>() == 24 && size_of::<Drops>() == 16);
