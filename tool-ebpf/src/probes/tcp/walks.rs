//! What user space asks for by reading an iterator: who holds sockets, how listening ones are doing, and whose window is closed.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::tcp::{ClosedWindow, Holding, Listener};

use super::{IPPROTO_MPTCP, IPPROTO_TCP, TCP_LISTEN, TIME_WINDOW_PROBE, sockets, tables};
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
    let Some((sock, number)) = socket(file) else { return };
    let listens = match read_or_zero(sock, facts::SK_PROTOCOL.load()) {
        IPPROTO_TCP => sock,
        // Its connections are sockets of TCP that no descriptor leads to. They have the number of its inode.
        IPPROTO_MPTCP => facts::MPTCP_FIRST.get().map_or(0, |first| read_or_zero(sock, first)),
        _ => return,
    };
    if listens != 0 && is_listening(listens) {
        tables::listens(listens);
    }
    let mut holding = Holding { inode: number, pid: task.tgid(), pad: 0, comm: [0; 16] };
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut holding.comm).cast::<[u64; 2]>().write_unaligned(task.comm()) };
    // SAFETY: promised by the caller; the kernel asks again where its buffer was full.
    unsafe { bpf_seq_write(output.cast(), (&raw const holding).cast(), size_of::<Holding>() as u32) };
}

/// Address of a descriptor's socket and number of its inode.
#[inline(always)]
fn socket(file: u64) -> Option<(u64, u64)> {
    let inode: u64 = read_or_zero(file, facts::FILE_INODE.get()?);
    if read_or_zero::<u16>(inode, facts::INODE_MODE.get()?) & S_IFMT != S_IFSOCK {
        return None;
    }
    let socket = inode.wrapping_add(facts::INODE_SOCKET.load());
    let sock: u64 = read_or_zero(socket, facts::SOCKET_SK.load());
    (sock != 0).then(|| (sock, read_or_zero(socket, facts::SOCKET_INODE.load())))
}

/// A descriptor of a task: of a connection that cannot send since the other side's window is closed, or of one that has closed its
/// own, because nobody reads.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn closed_window(output: *mut c_void, task: Task, file: u64) {
    let Some((sock, inode)) = socket(file) else { return };
    if read_or_zero::<u16>(sock, facts::SK_PROTOCOL.load()) != IPPROTO_TCP || is_listening(sock) {
        return;
    }
    let number = |offset: u64| read_or_zero::<u32>(sock, offset);
    let received = number(facts::TCP_RECEIVED.load());
    let unread = received.wrapping_sub(number(facts::TCP_READ.load()));
    let offered_until =
        number(facts::TCP_RECEIVE_WINDOW_FROM.load()).wrapping_add(number(facts::TCP_RECEIVE_WINDOW.load()));
    let reads = unread != 0 && offered_until.wrapping_sub(received) as i32 <= 0;
    // The kernel's timer for it runs while nothing is on the way.
    let sends = read_or_zero::<u8>(sock, facts::ICSK_PENDING.load()) == TIME_WINDOW_PROBE;
    if !reads && !sends {
        return;
    }
    let acknowledged = number(facts::TCP_SEND_UNACKNOWLEDGED.load());
    let unsent = number(facts::TCP_WRITTEN.load()).wrapping_sub(acknowledged);
    let mut closed = ClosedWindow { inode, acknowledged, pid: task.tgid(), ..ClosedWindow::default() };
    // SAFETY: on our stack, of which every byte was written; 16 bytes, aligned as words; the rest is as above.
    unsafe {
        (&raw mut closed.comm).cast::<[u64; 2]>().write_unaligned(task.comm());
        sockets::ends(sock, &raw mut closed.ends);
        if sends {
            closed.bytes = unsent;
            bpf_seq_write(output.cast(), (&raw const closed).cast(), size_of::<ClosedWindow>() as u32);
        }
        if reads {
            (closed.bytes, closed.reads) = (unread, 1);
            bpf_seq_write(output.cast(), (&raw const closed).cast(), size_of::<ClosedWindow>() as u32);
        }
    }
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
