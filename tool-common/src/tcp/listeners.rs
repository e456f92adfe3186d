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
    /// Connections of which the handshake goes on; [`Listener::NOT_KNOWN`].
    pub half_open: u32,
}

impl Listener {
    pub const NOT_KNOWN: u32 = u32::MAX;
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

/// What a walk over descriptors tells of a socket and a process with a descriptor of it, or of all sockets of a process.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct SocketSeen {
    /// Number of the socket's inode; of a process, the address of the network namespace; of a namespace, the address that tasks have of
    /// all of theirs.
    pub inode: u64,
    /// Of a process or namespace the network namespace, and as ports the first and the last that it gives to those who connect; 0: not
    /// known.
    pub ends: Ends,
    /// Bytes that are not acknowledged, or not read; of a process or namespace, `net.ipv4.tcp_tw_reuse`.
    pub bytes: u32,
    /// What the other side has acknowledged; the same as long as nothing moves.
    pub acknowledged: u32,
    pub pid: u32,
    /// One of the following.
    pub what: u32,
    pub comm: [u8; 16],
    /// Of a process: its descriptors of TCP sockets in one network namespace, by state (`TCP_ESTABLISHED` is 1).
    pub states: [u32; 16],
}

impl SocketSeen {
    /// This end has something to send, and the other's window is closed.
    pub const SENDS: u32 = 0;
    /// This end does not read what it has received.
    pub const READS: u32 = 1;
    /// The other side has closed the connection, and this one has not.
    pub const CLOSE_WAIT: u32 = 2;
    pub const PROCESS: u32 = 3;
    /// A task lives in that network namespace.
    pub const NAMESPACE: u32 = 4;
    /// Of the sockets of a process in `CLOSE_WAIT`, at most so many are told one by one.
    pub const TOLD: u32 = 1024;
}

const _: () = assert!(size_of::<Listener>() == 72 && size_of::<Holding>() == 32 && size_of::<SocketSeen>() == 144);
