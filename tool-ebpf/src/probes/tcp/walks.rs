//! What user space asks for by reading an iterator: who holds sockets, and how listening ones are doing.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::tcp::{Holding, Listener};

use super::{IPPROTO_TCP, TCP_LISTEN, sockets, tables};
use crate::{
    facts,
    support::{
        memory::read_or_zero,
        task::{S_IFMT, Task},
    },
};

const S_IFSOCK: u16 = 0o140_000;

/// A descriptor of a task. The kernel leaves out threads that share their main thread's descriptors; of those that outlive it each
/// is looked at. Notes sockets that listen: those that began to
/// before the run are in no event.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn descriptor(output: *mut c_void, task: Task, file: u64) {
    let (Some(inode_at), Some(mode_at)) = (facts::FILE_INODE.get(), facts::INODE_MODE.get()) else { return };
    let inode: u64 = read_or_zero(file, inode_at);
    if read_or_zero::<u16>(inode, mode_at) & S_IFMT != S_IFSOCK {
        return;
    }
    let socket = inode.wrapping_add(facts::INODE_SOCKET.load());
    let sock: u64 = read_or_zero(socket, facts::SOCKET_SK.load());
    if sock == 0 || read_or_zero::<u16>(sock, facts::SK_PROTOCOL.load()) != IPPROTO_TCP {
        return;
    }
    if is_listening(sock) {
        tables::listens(sock);
    }
    let number = read_or_zero(socket, facts::SOCKET_INODE.load());
    let mut holding = Holding { inode: number, pid: task.tgid(), pad: 0, comm: [0; 16] };
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut holding.comm).cast::<[u64; 2]>().write_unaligned(task.comm()) };
    // SAFETY: promised by the caller; the kernel asks again where its buffer was full.
    unsafe { bpf_seq_write(output.cast(), (&raw const holding).cast(), size_of::<Holding>() as u32) };
}

#[inline(always)]
fn is_listening(sock: u64) -> bool {
    u32::from(read_or_zero::<u8>(sock, facts::SKC_STATE.load())) == TCP_LISTEN
}

/// An entry of the table of listeners. One that ended without our being told is not the socket any more that it was; user space
/// removes what is not written.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn listener(output: *mut c_void, sock: u64) {
    if !is_listening(sock) || read_or_zero::<u16>(sock, facts::SK_PROTOCOL.load()) != IPPROTO_TCP {
        return;
    }
    let mut listener = Listener { sock, inode: sockets::inode(sock), ..Listener::default() };
    listener.queue = read_or_zero(sock, facts::SK_BACKLOG.load());
    listener.limit = read_or_zero(sock, facts::SK_BACKLOG_LIMIT.load());
    listener.drops = read_or_zero(sock, facts::SK_DROPS.load());
    // SAFETY: on our stack, of which every byte was written; the rest is as above.
    unsafe {
        sockets::ends(sock, &raw mut listener.ends);
        bpf_seq_write(output.cast(), (&raw const listener).cast(), size_of::<Listener>() as u32);
    }
}
