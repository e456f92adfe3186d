//! Sockets that listen, and what is read of each by walking over them.

use super::Ends;

/// One that listens now.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Listener {
    /// Address of the socket.
    pub sock: u64,
    /// Number of its inode.
    pub inode: u64,
    /// The remote end is empty.
    pub ends: Ends,
    /// Connections that wait to be accepted, and how many may.
    pub queue: u32,
    pub limit: u32,
    /// Requests for connections that were dropped since it began to listen; wraps.
    pub drops: u32,
    pub pad: u32,
}

/// A process with a descriptor of a TCP socket.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Holding {
    pub inode: u64,
    pub pid: u32,
    pub pad: u32,
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<Listener>() == 72 && size_of::<Holding>() == 32);
