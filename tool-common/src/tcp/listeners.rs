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

/// An end of a connection whose window is closed, and a process with a descriptor of it.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct ClosedWindow {
    /// Number of the socket's inode.
    pub inode: u64,
    pub ends: Ends,
    /// Bytes that are not acknowledged, or not read.
    pub bytes: u32,
    /// What the other side has acknowledged; the same as long as nothing moves.
    pub acknowledged: u32,
    pub pid: u32,
    /// 1: this end does not read what it has received. 0: this end has something to send.
    pub reads: u32,
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<Listener>() == 72 && size_of::<Holding>() == 32 && size_of::<ClosedWindow>() == 80);
