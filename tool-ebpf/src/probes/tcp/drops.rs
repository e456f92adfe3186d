//! Packets that the kernel drops, where and why.
//!
//! `kfree_skb` is for packets that end before their time: those that did what they were sent for are freed elsewhere
//! (`consume_skb`). It runs for every protocol, and what is not TCP leaves after four reads.

use stillwatch_common::{
    facts::Number,
    tcp::{DROPS_LOOKED_AT, DropSite, Dropped, Loss, Program},
};

use super::{resets, sockets, tables};
use crate::{
    facts::{self, Optional},
    support::{count::add_shared, memory::read_or_zero, now_ns},
};

/// `kfree_skb`. `receiver`: the socket that the packet was for, on kernels that tell it; 0: none.
///
/// # Safety
/// `skb` is trusted.
#[inline(always)]
pub unsafe fn dropped(skb: *const u8, location: u64, reason: u32, receiver: u64) {
    let Some(cpu) = tables::cpu(Program::Drop) else { return };
    let skb = skb as u64;
    let Some(transport) = sockets::tcp_header(skb) else { return };
    let bytes: u32 = read_or_zero(skb, facts::SKB_LEN.load());
    if is_done_with(transport, bytes, reason) {
        return;
    }
    // SAFETY: a map value.
    unsafe { add_shared(&raw mut (*cpu).drops, 1) };
    let at_ns = now_ns();
    let told = tables::is_told::<Dropped>(cpu, at_ns);
    // SAFETY: this CPU's block.
    if unsafe { (*cpu).drop_events } > DROPS_LOOKED_AT {
        return tables::lose(cpu, Loss::Flood);
    }
    // Of a packet on its way out, or that was matched early, it knows the socket itself.
    let sock = if receiver != 0 { receiver } else { read_or_zero(skb, facts::SKB_SOCKET.load()) };
    // SAFETY: this program's room in this CPU's block.
    unsafe {
        let event = &raw mut (*cpu).dropped;
        ((*event).at_ns, (*event).location, (*event).reason) = (at_ns, location, reason);
        ((*event).sock, (*event).inode, (*event).state) = (sock, 0, 0);
        (*event).bytes = bytes;
        (*event).flags = read_or_zero(transport, 13);
        (*event).sequence = u32::from_be(read_or_zero(transport, 4));
        let ends = &raw mut (*event).ends;
        (*ends).netns = 0;
        if sock == 0 {
            // Only then: what belongs to a socket's queue has other things in place of its device.
            (*ends).netns = sockets::netns_of_device(skb);
        } else {
            (*event).state = read_or_zero(sock, facts::SKC_STATE.load());
            (*ends).netns = sockets::netns(sock);
            if told && resets::is_whole((*event).state) {
                (*event).inode = sockets::inode(sock);
            }
        }
        sockets::ends_of_packet(skb, transport, ends);
        let (local, remote) = ((*ends).local_port, (*ends).remote_port);
        let lower = if local < remote { local } else { remote };
        let port = if u32::from(lower) < facts::EPHEMERAL_PORTS.load() { lower } else { 0 };
        let site = DropSite { location, reason, netns: (*ends).netns, port, pad: [0; 3] };
        if let Some(drops) = tables::drops(cpu, &site) {
            add_shared(&raw mut (*drops).packets, 1);
            add_shared(&raw mut (*drops).bytes, (*event).bytes.into());
        }
        if told {
            tables::hand_over(cpu, event);
        }
    }
}

/// A packet without data at which TCP has looked: the kernel frees those here, too, when a connection ends. `bytes`: what is left of
/// it, which begins at its TCP header then, or behind. One that asks for a connection is not among them.
#[inline(always)]
fn is_done_with(transport: u64, bytes: u32, reason: u32) -> bool {
    const LENGTH: u64 = 12;
    const FLAGS: u64 = 13;
    const SYN: u8 = 2;
    let is = |harmless: &Optional<Number>| harmless.get() == Some(reason);
    let harmless = is(&facts::DROP_UNSPECIFIED) || is(&facts::DROP_PURGED) || is(&facts::DROP_RESET);
    let length = u32::from(read_or_zero::<u8>(transport, LENGTH) >> 4) * 4;
    harmless && bytes <= length && read_or_zero::<u8>(transport, FLAGS) & SYN == 0
}
