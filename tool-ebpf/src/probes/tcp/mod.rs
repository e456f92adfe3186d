//! What is retransmitted, on whose connection, and why? Which connections are slow to open, fail to, or are broken off? Who does not
//! accept connections fast enough, and which packets are dropped?
//!
//! Retransmissions are made by timers and by incoming segments: the current task is an innocent bystander. The owner is the
//! process that holds the socket, which user space finds by the number of the socket's inode. Of sockets that nobody holds any
//! more, [`set_state`] has noted who closed them.
//!
//! Hooks: `tcp_retransmit_skb`, `tcp_retransmit_synack`, `inet_sock_set_state`, `tcp_send_reset`, `tcp_receive_reset`, `kfree_skb`.
//! None of them sees a packet that goes well; with `--pcap`, `net_dev_queue` and `netif_receive_skb` do ([`packets`]). Three iterators, run when user space reads them: over our table of listeners at each
//! tick, over all descriptors when a socket's holder is not known, and over all descriptors for sockets by process and state, and for connections whose window is closed.
//! Maps: [`tables`]. Cost per retransmission: some twenty checked reads, one look-up, one entry of a ring. Per connection made or
//! closed: one entry of a hash map, and for the one that opens it a look-up of its remote.
//! Blind spots: `docs/probes/tcp.md`.

mod connects;
mod drops;
mod packets;
mod resets;
mod sockets;
mod tables;
mod walks;

pub use self::{
    drops::dropped,
    packets::packet,
    resets::{received, sent},
    walks::{descriptor, listener, socket_seen, sockets_end},
};

use stillwatch_common::tcp::{Opener, Program, Retransmit, RetransmitKind};

use crate::{
    facts,
    support::{count::add_shared, memory::read_or_zero, now_ns, opaque, task::Task},
};

const TCP_ESTABLISHED: u32 = 1;
const TCP_SYN_SENT: u32 = 2;
const TCP_SYN_RECV: u32 = 3;
const TCP_FIN_WAIT1: u32 = 4;
const TCP_FIN_WAIT2: u32 = 5;
const TCP_CLOSE: u32 = 7;
const TCP_CLOSE_WAIT: u32 = 8;
const TCP_LAST_ACK: u32 = 9;
const TCP_LISTEN: u32 = 10;
const TCP_CLOSING: u32 = 11;

/// `enum tcp_ca_state`.
const CA_RECOVERY: u8 = 3;
const CA_LOSS: u8 = 4;
/// `icsk_pending`: the timer that runs is the tail loss probe's. Not reset before the probe is sent.
const TIME_LOSS_PROBE: u8 = 5;
/// The same: of the probe of a closed window.
const TIME_WINDOW_PROBE: u8 = 3;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IPPROTO_TCP: u16 = 6;
const IPPROTO_MPTCP: u16 = 262;

/// A power of two that holds all of [`RetransmitKind`].
const KINDS: usize = 8;

/// # Safety
/// `sk` and `skb` are trusted.
#[inline(always)]
pub unsafe fn retransmit(sk: *const u8, skb: *const u8, error: i32) {
    let (sk, skb) = (sk as u64, skb as u64);
    let state: u8 = read_or_zero(sk, facts::SKC_STATE.load());
    let number = |offset: u64| read_or_zero::<u32>(sk, offset);
    let out = number(facts::TCP_PACKETS_OUT.load()).wrapping_add(number(facts::TCP_RETRANS_OUT.load()));
    let left = number(facts::TCP_SACKED_OUT.load()).wrapping_add(number(facts::TCP_LOST_OUT.load()));
    let Some((cpu, event)) = tables::attempt(Program::Retransmit) else { return };
    // SAFETY: this program's room in this CPU's block.
    unsafe {
        (*event).at_ns = now_ns();
        (*event).sock = sk;
        (*event).inode = sockets::inode(sk);
        sockets::ends(sk, &raw mut (*event).ends);
        (*event).bytes = read_or_zero(skb, facts::SKB_LEN.load());
        (*event).segments = read_or_zero::<u16>(skb, facts::SKB_SEGMENTS.load()).into();
        // Kept in eighths of a microsecond.
        (*event).srtt_us = number(facts::TCP_SRTT.load()) >> 3;
        (*event).cwnd = number(facts::TCP_CWND.load());
        (*event).ssthresh = number(facts::TCP_SSTHRESH.load());
        (*event).in_flight = out.wrapping_sub(left);
        (*event).error = error;
        (*event).window = number(facts::TCP_SEND_WINDOW.load());
        (*event).retransmits = read_or_zero(sk, facts::ICSK_RETRANSMITS.load());
        (*event).backoff = read_or_zero(sk, facts::ICSK_BACKOFF.load());
        (*event).state = state;
        (*event).kind = kind(sk, state) as u8;
    }
    let sent = (number(facts::TCP_SEGS_OUT.load()), number(facts::TCP_TOTAL_RETRANS.load()));
    // SAFETY: as above.
    unsafe { note(cpu, event, sent) };
}

#[inline(always)]
fn kind(sk: u64, state: u8) -> RetransmitKind {
    if u32::from(state) == TCP_SYN_SENT {
        return RetransmitKind::Syn;
    }
    let state = facts::ICSK_CA_STATE.load();
    match state.value(read_or_zero(sk, state.offset())) {
        CA_LOSS => RetransmitKind::Timeout,
        CA_RECOVERY => RetransmitKind::Fast,
        _ if read_or_zero::<u8>(sk, facts::ICSK_PENDING.load()) == TIME_LOSS_PROBE => RetransmitKind::TailLossProbe,
        _ => RetransmitKind::Other,
    }
}

/// # Safety
/// `sk` and `req` are trusted.
#[inline(always)]
pub unsafe fn retransmit_synack(sk: *const u8, req: *const u8) {
    let (sk, req) = (sk as u64, req as u64);
    let Some((cpu, event)) = tables::attempt(Program::SynAck) else { return };
    // SAFETY: this program's room in this CPU's block, of which it never writes what a SYN-ACK does not have.
    unsafe {
        (*event).at_ns = now_ns();
        (*event).sock = sk;
        (*event).inode = sockets::inode(sk);
        // A request begins with the same fields as a socket.
        sockets::ends(req, &raw mut (*event).ends);
        (*event).segments = 1;
        (*event).retransmits = read_or_zero(req, facts::REQ_RETRANSMITS.load());
        (*event).state = TCP_SYN_RECV as u8;
        (*event).kind = RetransmitKind::SynAck as u8;
        note(cpu, event, (0, 0));
    }
}

/// # Safety
/// `event` is room in the CPU's block.
#[inline(always)]
unsafe fn note(cpu: tables::CpuPtr, event: *const Retransmit, (sent, sent_again): (u32, u32)) {
    // SAFETY: map values; the index is bounded.
    unsafe {
        let failed = u64::from((*event).error != 0);
        // Some attempts fail before the kernel counts them (the packet still waits in this host's queue), some after. Where we
        // know what the socket had counted, what it has now says it.
        let mut segments = if failed != 0 { 0 } else { u64::from((*event).segments) };
        let flow = tables::flow(cpu, &raw const (*event).ends);
        if let Some(flow) = flow {
            let same = (*flow).sock == (*event).sock && (*flow).attempts != 0;
            if same && (*event).kind != RetransmitKind::SynAck as u8 && sent_again >= (*flow).sent_again {
                segments = (sent_again - (*flow).sent_again).into();
            }
        }
        let bytes = if segments == 0 { 0 } else { u64::from((*event).bytes) };
        let kind = opaque((*event).kind as usize) & (KINDS - 1);
        if kind < RetransmitKind::ALL.len() {
            add_shared(&raw mut (*cpu).segments[kind], segments);
        }
        add_shared(&raw mut (*cpu).attempts, 1);
        add_shared(&raw mut (*cpu).failed, failed);
        add_shared(&raw mut (*cpu).bytes, bytes);
        if let Some(flow) = flow {
            add_shared(&raw mut (*flow).attempts, 1);
            add_shared(&raw mut (*flow).failed, failed);
            add_shared(&raw mut (*flow).segments, segments);
            add_shared(&raw mut (*flow).bytes, bytes);
            ((*flow).at_ns, (*flow).sock, (*flow).inode) = ((*event).at_ns, (*event).sock, (*event).inode);
            ((*flow).sent, (*flow).sent_again, (*flow).srtt_us) = (sent, sent_again, (*event).srtt_us);
            ((*flow).state, (*flow).kind) = ((*event).state, (*event).kind);
        }
        if tables::is_told::<Retransmit>(cpu, (*event).at_ns) {
            tables::hand_over(cpu, event);
        }
    }
}

/// Notes who opens a connection, and who closes it: both are done by the process itself, at its call or at its end. Not so an
/// incoming connection, whose holder user space finds.
///
/// # Safety
/// `sk` is trusted.
#[inline(always)]
pub unsafe fn set_state(sk: *const u8, old: u32, new: u32) {
    let Some(cpu) = tables::cpu(Program::State) else { return };
    let sk = sk as u64;
    if read_or_zero::<u16>(sk, facts::SK_PROTOCOL.load()) != IPPROTO_TCP {
        return;
    }
    if old == TCP_SYN_SENT && (new == TCP_ESTABLISHED || new == TCP_CLOSE) {
        connects::opened(cpu, sk, new == TCP_ESTABLISHED);
        return;
    }
    if new == TCP_LISTEN {
        return tables::listens(sk);
    }
    if old == TCP_LISTEN {
        return tables::listens_no_more(sk);
    }
    let opens = old == TCP_CLOSE && new == TCP_SYN_SENT;
    let closes = (old == TCP_ESTABLISHED && new == TCP_FIN_WAIT1) || (old == TCP_CLOSE_WAIT && new == TCP_LAST_ACK);
    if opens || closes {
        note_current(sk);
    }
    if new == TCP_CLOSE && (old == TCP_FIN_WAIT2 || old == TCP_CLOSING) {
        note_left(cpu, sk);
    }
}

/// The socket goes, and what stays of the connection (TIME-WAIT) has another address.
#[inline(always)]
fn note_left(cpu: tables::CpuPtr, sk: u64) {
    // SAFETY: map values; this program's room in this CPU's block.
    unsafe {
        let ends = &raw mut (*cpu).connect.ends;
        sockets::ends(sk, ends);
        (*ends).local_port = sockets::local_port(sk);
        match tables::opener(sk) {
            Some(opener) => tables::note_left(&*ends, opener),
            // Who closed an earlier connection between the same ends did not close this one.
            None => tables::forget_left(&*ends),
        }
    }
}

/// The current task opens or closes the socket.
#[inline(always)]
fn note_current(sk: u64) {
    let task = Task::current();
    // A worker that closes for somebody is not who.
    if task.is_user() {
        let inode = sockets::inode(sk);
        let mut opener =
            Opener { owner: task.owner(), at_ns: now_ns(), inode, cgroup: task.cgroup_id(), comm: [0; 16] };
        // SAFETY: 16 bytes, aligned as words.
        unsafe { (&raw mut opener.comm).cast::<[u64; 2]>().write_unaligned(task.comm()) };
        tables::note_opener(sk, &opener);
    }
}
