//! Connections that one side breaks off.

use stillwatch_common::tcp::{Direction, Opener, Program, Reset};

use super::{TCP_LISTEN, TCP_SYN_SENT, note_current, sockets, tables};
use crate::{
    facts,
    support::{count::add_shared, memory::read_or_zero, now_ns},
};

const TCP_TIME_WAIT: u8 = 6;
const TCP_NEW_SYN_RECV: u8 = 12;

/// In these two states it is less than a socket: what would follow is not theirs.
#[inline(always)]
pub fn is_whole(state: u8) -> bool {
    state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV
}

/// `tcp_send_reset`. Without a packet that is answered, it is a call of the socket's holder or a timer that gives up.
///
/// # Safety
/// `sk` and `skb` are trusted, or null.
#[inline(always)]
pub unsafe fn sent(sk: *const u8, skb: *const u8, reason: u32) {
    let Some(cpu) = tables::cpu(Program::ResetSent) else { return };
    let Some(reset) = begin(cpu, Direction::Sent) else { return };
    // SAFETY: this program's room in this CPU's block.
    unsafe {
        (*reset).reason = reason;
        if !sk.is_null() {
            if skb.is_null() && read_or_zero::<u32>(sk as u64, facts::SK_OWNED.load()) != 0 {
                note_current(sk as u64);
            }
            socket(sk as u64, reset);
        }
        // A listening socket is not the end of a connection, but the packet's addresses are.
        if !skb.is_null() {
            let (skb, ends) = (skb as u64, &raw mut (*reset).ends);
            let netns = sockets::netns_of_device(skb);
            if netns != 0 {
                (*ends).netns = netns;
            }
            sockets::ends_of_packet(skb, sockets::transport_header(skb), ends);
        }
        if (*reset).state == TCP_TIME_WAIT
            && let Some(opener) = tables::left(&(*reset).ends)
        {
            (*reset).opener = *opener;
        }
        tables::hand_over(cpu, reset);
    }
}

/// `tcp_receive_reset`.
///
/// # Safety
/// `sk` is trusted.
#[inline(always)]
pub unsafe fn received(sk: *const u8) {
    let Some(cpu) = tables::cpu(Program::ResetReceived) else { return };
    let sk = sk as u64;
    // A connection that is refused, which is told when the socket is closed.
    if u32::from(read_or_zero::<u8>(sk, facts::SKC_STATE.load())) == TCP_SYN_SENT {
        return;
    }
    let Some(reset) = begin(cpu, Direction::Received) else { return };
    // SAFETY: this program's room in this CPU's block.
    unsafe {
        socket(sk, reset);
        tables::hand_over(cpu, reset);
    }
}

/// Counts a reset. This program's room in the CPU's block, where it is told, too: others can cause any number of them.
#[inline(always)]
fn begin(cpu: tables::CpuPtr, direction: Direction) -> Option<*mut Reset> {
    let at_ns = now_ns();
    // SAFETY: a map value; the index is an enum's.
    unsafe { add_shared(&raw mut (*cpu).resets[direction as usize], 1) };
    if !tables::is_told::<Reset>(cpu, at_ns) {
        return None;
    }
    // SAFETY: as above.
    unsafe {
        let reset = &raw mut (*cpu).reset[direction as usize];
        ((*reset).at_ns, (*reset).direction) = (at_ns, direction as u8);
        ((*reset).sock, (*reset).inode, (*reset).state) = (0, 0, 0);
        (*reset).ends = Default::default();
        (*reset).opener = core::mem::zeroed::<Opener>();
        Some(reset)
    }
}

/// # Safety
/// `reset` is room in the CPU's block.
#[inline(always)]
unsafe fn socket(sk: u64, reset: *mut Reset) {
    let state: u8 = read_or_zero(sk, facts::SKC_STATE.load());
    // SAFETY: promised by the caller.
    unsafe {
        ((*reset).sock, (*reset).state) = (sk, state);
        sockets::ends(sk, &raw mut (*reset).ends);
        if is_whole(state) {
            (*reset).inode = sockets::inode(sk);
            (*reset).ends.local_port = sockets::local_port(sk);
            // Before the tick the address may be another socket's. Without an inode it is one that was closed, and noted then.
            if u32::from(state) != TCP_LISTEN
                && let Some(opener) = tables::opener(sk)
                && ((*reset).inode == 0 || (*opener).inode == (*reset).inode)
            {
                (*reset).opener = *opener;
            }
        }
    }
}
