//! The last packets of each CPU, of the ports that were asked for: rings that user space reads when something happens to a connection.
//!
//! Only with `--pcap`: nothing else of this tool looks at packets that go well. Cost per packet: a read of its headers into a ring, and one of what it carries.
//! The rings of the two directions are apart. The kernel sends and receives with softirqs off: nothing of the same direction comes in between.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel},
    macros::map,
    maps::Array,
};
use stillwatch_common::tcp::{Direction, HEADERS, KEPT, PAYLOAD, Packet, Program};

use super::{
    IPPROTO_TCP,
    sockets::{ETH_P_IP, ETH_P_IPV6},
    tables,
};
use crate::{
    facts,
    support::{
        memory::{load, read_or_zero},
        now_ns, opaque,
    },
};

/// Rings of [`facts::TCP_PACKETS_KEPT`] entries: for each CPU, what it sends and what it receives.
#[map]
static TCP_PACKETS: Array<Packet> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// A bit for each port that is asked for.
#[map]
static TCP_PACKET_PORTS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// `net_dev_queue`, `netif_receive_skb`.
///
/// # Safety
/// `skb` is trusted.
#[inline(always)]
pub unsafe fn packet(skb: *const u8, direction: Direction) {
    let sent = matches!(direction, Direction::Sent);
    let Some(cpu) = tables::cpu(if sent { Program::PacketSent } else { Program::PacketReceived }) else { return };
    let (Some(data_at), Some(paged_at), Some(mac_at)) =
        (facts::SKB_DATA.get(), facts::SKB_PAGED.get(), facts::SKB_MAC.get())
    else {
        return;
    };
    let (Some(index_at), Some(name_at), Some(flags_at)) =
        (facts::DEVICE_INDEX.get(), facts::DEVICE_NAME.get(), facts::DEVICE_FLAGS.get())
    else {
        return;
    };
    // SAFETY: promised by the caller. A packet at a device has one, which is in a network namespace.
    let (protocol, device) =
        unsafe { (load::<u16>(skb, facts::SKB_PROTOCOL.load()), load::<*const u8>(skb, facts::SKB_DEVICE.load())) };
    if !matches!(u16::from_be(protocol), ETH_P_IP | ETH_P_IPV6) {
        return;
    }
    // What a loopback device sends is what it receives. A file with both looks as if all was sent twice.
    // SAFETY: as above.
    if !sent && unsafe { load::<u32>(device, flags_at) } & IFF_LOOPBACK != 0 {
        return;
    }
    // Where a packet goes out, it begins at its link header; where it comes in, at its network header, which the kernel has not noted yet.
    // SAFETY: promised by the caller.
    let (network, before) = unsafe {
        if sent {
            let header: u16 = load(skb, facts::SKB_NETWORK.load());
            let head: *const u8 = load(skb, facts::SKB_HEAD.load());
            (head.wrapping_add(header.into()), u32::from(header.wrapping_sub(load(skb, mac_at))))
        } else {
            (load(skb, data_at), 0)
        }
    };
    // SAFETY: as above.
    let (length, paged) = unsafe { (load::<u32>(skb, facts::SKB_LEN.load()), load::<u32>(skb, paged_at)) };
    let slots = facts::TCP_PACKETS_KEPT.load();
    // SAFETY: this CPU's block, and a helper without precondition.
    let (number, processor) =
        unsafe { ((*cpu).packets[direction as usize].wrapping_add(1), bpf_get_smp_processor_id()) };
    let ring = processor * 2 + direction as u32;
    let Some(packet) = TCP_PACKETS.get_ptr_mut(ring * slots + (number as u32 & slots.wrapping_sub(1))) else { return };
    // SAFETY: promised by the caller; a map value, which nobody else writes to now. User space takes what has the same number before and after.
    unsafe {
        // It is looked at where it is copied to: one read instead of five. If nobody asked for it, the oldest of the ring is lost, and the next one
        // is there.
        (&raw mut (*packet).number).write_volatile(0);
        let there = opaque(length.wrapping_sub(paged).wrapping_sub(before) as usize);
        let there = if there > KEPT { KEPT } else { there };
        bpf_probe_read_kernel((&raw mut (*packet).bytes).cast(), there as u32, network.cast());
        let Some(ports) = ports(&(*packet).bytes, there) else { return };
        if !ports.into_iter().any(is_asked_for) {
            return;
        }
        (*packet).at_ns = now_ns();
        (*packet).length = length.wrapping_sub(before);
        let net: *const u8 = load(device, facts::DEVICE_NET.load());
        (*packet).netns = load(net, facts::NET_NUMBER.load());
        (*packet).device = load(device, index_at);
        (&raw mut (*packet).name).cast::<[u64; 2]>().write([load(device, name_at), load(device, name_at + 8)]);
        (*packet).kept = (there + if paged == 0 { 0 } else { pages(skb, packet, there) }) as u32;
        (&raw mut (*packet).number).write_volatile(number);
        (*cpu).packets[direction as usize] = number;
    }
}

/// Of a packet that begins with its network header, if it is TCP and so much of it is there. Behind extension headers of IPv6 they are not looked for.
#[inline(always)]
fn ports(bytes: &[u8; KEPT], there: usize) -> Option<[u16; 2]> {
    let (next, length) = match bytes[0] >> 4 {
        4 => (bytes[9], usize::from(bytes[0] & 0xf) * 4),
        6 => (bytes[6], 40),
        _ => return None,
    };
    if u16::from(next) != IPPROTO_TCP || there < length + TCP_HEADER {
        return None;
    }
    let length = opaque(length) & 63;
    let port = |at: usize| u16::from_be_bytes([bytes[length + at], bytes[length + at + 1]]);
    Some([port(0), port(2)])
}

/// Copies the begin of what lies in the first of a packet's pages behind what is there, and says how much that is.
///
/// # Safety
/// `skb` is trusted, `packet` a map value.
#[inline(always)]
unsafe fn pages(skb: *const u8, packet: *mut Packet, there: usize) -> usize {
    let (Some(end_at), Some(count_at), Some(pieces_at), shift) =
        (facts::SKB_END.get(), facts::SKB_PIECE_COUNT.get(), facts::SKB_PIECES.get(), facts::TCP_PAGES_SHIFT.load())
    else {
        return 0;
    };
    if shift == 0 || there >= HEADERS {
        return 0;
    }
    // SAFETY: promised by the caller.
    let (head, end) = unsafe { (load::<*const u8>(skb, facts::SKB_HEAD.load()), load::<u32>(skb, end_at)) };
    let shared = head.wrapping_add(end as usize) as u64;
    // It may be made of other packets instead, and then the place of pages has what was there before.
    if read_or_zero::<u8>(shared, count_at) == 0 {
        return 0;
    }
    // `skb_frag_t`, which was a `bio_vec` before 6.9: the page, its length, and where it begins there.
    let [page, place]: [u64; 2] = read_or_zero(shared, pieces_at);
    // What the kernel must not read, as it is in a device's memory, has the lowest bit.
    if page & 1 != 0 {
        return 0;
    }
    let address = facts::TCP_PAGES_AT.load().wrapping_add(page.wrapping_sub(facts::TCP_PAGES_FROM.load()) << shift);
    let length = opaque(place as u32 as usize);
    let length = if length > PAYLOAD { PAYLOAD } else { length };
    // SAFETY: `HEADERS` and `PAYLOAD` are all that there is room for.
    let read = unsafe {
        let to = (&raw mut (*packet).bytes).cast::<u8>().add(opaque(there) & (HEADERS - 1));
        bpf_probe_read_kernel(to.cast(), length as u32, address.wrapping_add(place >> 32) as *const _)
    };
    if read == 0 { length } else { 0 }
}

/// Without its options.
const TCP_HEADER: usize = 20;
/// Of a device's flags.
const IFF_LOOPBACK: u32 = 8;

#[inline(always)]
fn is_asked_for(port: u16) -> bool {
    TCP_PACKET_PORTS.get(u32::from(port) >> 6).is_some_and(|ports| ports >> (port & 63) & 1 != 0)
}
