//! What user space asks for by reading an iterator: who holds sockets in which state, how listening ones are doing, and whose window is
//! closed.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::tcp::{Ends, Holding, Listener, SocketSeen};

use super::{
    AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP, TCP_CLOSE_WAIT, TCP_LISTEN, TIME_WINDOW_PROBE, sockets, tables,
};
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
    // Other families count their protocols by themselves: netlink's sixth is not TCP.
    if !is_internet(sock) {
        return;
    }
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

/// A descriptor of a task: counts TCP sockets of its process by state, and tells of those that cannot send since the other side's window
/// is closed, of those that have closed their own, because nobody reads, and of those that the other side has closed and this one has not;
/// and of the network namespace that it lives in, of which it may be the only sign while no process has a socket there.
///
/// Where the kernel's buffer was full it asks again, and forgets all that was written for this descriptor: what is noted here is so after
/// the last write.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn socket_seen(output: *mut c_void, task: Task, file: u64) {
    let (Some(walk), Some(told)) = (tables::walk(), tables::namespace()) else { return };
    let namespaces = task.namespaces();
    // SAFETY: map values, of which this program alone makes use; the rest is promised by the caller.
    unsafe {
        let is_new = namespaces != 0 && namespaces != (*told).inode;
        if is_new && !namespace(output, namespaces) {
            return;
        }
        if tcp_socket(output, walk, task, file) && is_new {
            (*told).inode = namespaces;
        }
    }
}

/// Whether the network namespace of a task could be written.
///
/// # Safety
/// As [`socket_seen`].
#[inline(always)]
unsafe fn namespace(output: *mut c_void, namespaces: u64) -> bool {
    let Some(at) = facts::NAMESPACES_NET.get() else { return true };
    let net = read_or_zero(namespaces, at);
    let mut seen = SocketSeen { what: SocketSeen::NAMESPACE, ..SocketSeen::default() };
    seen.bytes = of_namespace(net, &mut seen.ends);
    // SAFETY: on our stack, of which every byte was written; the rest is promised by the caller.
    unsafe { write(output, &raw const seen) }
}

/// Fills in a network namespace's number and the ports that it gives, and returns whether it gives those in TIME-WAIT again.
#[inline(always)]
fn of_namespace(net: u64, ends: &mut Ends) -> u32 {
    ends.netns = read_or_zero(net, facts::NET_NUMBER.load());
    [ends.local_port, ends.remote_port] = given_ports(net);
    facts::NET_TIME_WAIT_REUSE.get().map_or(0, |at| read_or_zero::<u8>(net, at).into())
}

/// Whether what is to be told of a descriptor of a socket, if it is one, could be written.
///
/// # Safety
/// As [`socket_seen`]; `walk` points to a map value.
#[inline(always)]
unsafe fn tcp_socket(output: *mut c_void, walk: *mut SocketSeen, task: Task, file: u64) -> bool {
    let Some((sock, inode)) = socket(file) else { return true };
    if read_or_zero::<u16>(sock, facts::SK_PROTOCOL.load()) != IPPROTO_TCP || !is_internet(sock) {
        return true;
    }
    let (pid, net) = (task.tgid(), read_or_zero::<u64>(sock, facts::SKC_NET.load()));
    let state = read_or_zero::<u8>(sock, facts::SKC_STATE.load()) & 15;
    // SAFETY: a map value, of which this program alone makes use; the rest is promised by the caller.
    unsafe {
        let begins = (*walk).pid != pid || (*walk).inode != net;
        if begins && !process(output, walk) {
            return false;
        }
        let told = if begins { 0 } else { (*walk).states[TCP_CLOSE_WAIT as usize] };
        if !connection(output, task, (sock, inode), (state, told)) {
            return false;
        }
        if begins {
            *walk = SocketSeen { inode: net, pid, what: SocketSeen::PROCESS, ..SocketSeen::default() };
            (*walk).bytes = of_namespace(net, &mut (*walk).ends);
            (&raw mut (*walk).comm).cast::<[u64; 2]>().write_unaligned(task.comm());
        }
        (*walk).states[usize::from(state)] += 1;
    }
    true
}

/// After the last descriptor.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn sockets_end(output: *mut c_void) {
    let (Some(walk), Some(told)) = (tables::walk(), tables::namespace()) else { return };
    // SAFETY: map values, of which this program alone makes use, and promised by the caller.
    unsafe {
        if process(output, walk) {
            ((*walk).pid, (*told).inode) = (0, 0);
        }
    }
}

/// The first and the last port that a network namespace gives to those who connect.
#[inline(always)]
fn given_ports(net: u64) -> [u16; 2] {
    let Some(at) = facts::NET_PORTS.get() else { return [0; 2] };
    if facts::NET_PORTS_APART.is_there() {
        read_or_zero::<[u32; 2]>(net, at).map(|port| port as u16)
    } else {
        read_or_zero(net, at)
    }
}

/// Whether what is known of the process that was visited could be written, if there was one.
///
/// # Safety
/// As [`socket_seen`]; `walk` points to a map value.
#[inline(always)]
unsafe fn process(output: *mut c_void, walk: *mut SocketSeen) -> bool {
    // SAFETY: promised by the caller.
    unsafe { (*walk).pid == 0 || write(output, walk) }
}

/// Whether what is to be told of a socket could be written. Of those in `CLOSE_WAIT`, so many of the process were told.
///
/// # Safety
/// As [`socket_seen`].
#[inline(always)]
unsafe fn connection(output: *mut c_void, task: Task, (sock, inode): (u64, u64), (state, told): (u8, u32)) -> bool {
    let state = u32::from(state);
    if state == TCP_LISTEN {
        return true;
    }
    let number = |offset: u64| read_or_zero::<u32>(sock, offset);
    let received = number(facts::TCP_RECEIVED.load());
    let unread = received.wrapping_sub(number(facts::TCP_READ.load()));
    let offered_until =
        number(facts::TCP_RECEIVE_WINDOW_FROM.load()).wrapping_add(number(facts::TCP_RECEIVE_WINDOW.load()));
    let reads = unread != 0 && offered_until.wrapping_sub(received) as i32 <= 0;
    // The kernel's timer for it runs while nothing is on the way.
    let sends = read_or_zero::<u8>(sock, facts::ICSK_PENDING.load()) == TIME_WINDOW_PROBE;
    let is_left = state == TCP_CLOSE_WAIT && told < SocketSeen::TOLD;
    if !reads && !sends && !is_left {
        return true;
    }
    let acknowledged = number(facts::TCP_SEND_UNACKNOWLEDGED.load());
    let unsent = number(facts::TCP_WRITTEN.load()).wrapping_sub(acknowledged);
    let mut seen = SocketSeen { inode, acknowledged, pid: task.tgid(), ..SocketSeen::default() };
    // SAFETY: on our stack, of which every byte was written; 16 bytes, aligned as words; the rest is as above.
    unsafe {
        (&raw mut seen.comm).cast::<[u64; 2]>().write_unaligned(task.comm());
        sockets::ends(sock, &raw mut seen.ends);
        (seen.bytes, seen.what) = (unsent, SocketSeen::SENDS);
        if sends && !write(output, &raw const seen) {
            return false;
        }
        (seen.bytes, seen.what) = (unread, SocketSeen::READS);
        if reads && !write(output, &raw const seen) {
            return false;
        }
        seen.what = SocketSeen::CLOSE_WAIT;
        !is_left || write(output, &raw const seen)
    }
}

/// # Safety
/// As [`socket_seen`]; `seen` points to one of which every byte was written.
#[inline(always)]
unsafe fn write(output: *mut c_void, seen: *const SocketSeen) -> bool {
    // SAFETY: promised by the caller.
    unsafe { bpf_seq_write(output.cast(), seen.cast(), size_of::<SocketSeen>() as u32) == 0 }
}

/// Sockets of other families have numbers of their own for what they speak.
#[inline(always)]
fn is_internet(sock: u64) -> bool {
    let family: u16 = read_or_zero(sock, facts::SKC_FAMILY.load());
    family == AF_INET || family == AF_INET6
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
    listener.half_open = match facts::LISTENER_HALF_OPEN.get() {
        Some(offset) => read_or_zero(sock, offset),
        None => Listener::NOT_KNOWN,
    };
    // SAFETY: on our stack, of which every byte was written; the rest is as above.
    unsafe {
        sockets::ends(sock, &raw mut listener.ends);
        bpf_seq_write(output.cast(), (&raw const listener).cast(), size_of::<Listener>() as u32);
    }
}
