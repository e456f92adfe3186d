//! The last packets of each CPU, of the ports that were asked for: rings that user space reads when something happens to a connection.
//!
//! Only with `--pcap`: nothing else of this tool looks at packets that go well. Cost per packet: a read of its headers; of one that is asked for,
//! 264 bytes in a ring.
//! The rings of the two directions are apart. The kernel sends and receives with softirqs off: nothing of the same direction comes in between.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    helpers::generated::{bpf_get_smp_processor_id, bpf_probe_read_kernel},
    macros::map,
    maps::Array,
};
use stillwatch_common::tcp::{Direction, KEPT, Packet, Program};

use super::{sockets, tables};
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
    let (Some(data_at), Some(paged_at)) = (facts::SKB_DATA.get(), facts::SKB_PAGED.get()) else { return };
    let (Some(index_at), Some(name_at)) = (facts::DEVICE_INDEX.get(), facts::DEVICE_NAME.get()) else { return };
    // SAFETY: promised by the caller.
    let protocol = unsafe { load::<u16>(skb, facts::SKB_PROTOCOL.load()) };
    // A number: new verifiers know where a pointer leads that is loaded directly, and let nothing be computed from it.
    let data: u64 = read_or_zero(skb as u64, data_at);
    // Where a packet comes in, it begins at its network header, which the kernel has not noted yet.
    let network = if sent { sockets::network_header(skb as u64) } else { data };
    let Some(transport) = sockets::tcp_header_at(u16::from_be(protocol), network) else { return };
    let [from, to] = read_or_zero::<[u16; 2]>(transport, 0);
    if !is_asked_for(u16::from_be(from)) && !is_asked_for(u16::from_be(to)) {
        return;
    }
    let slots = facts::TCP_PACKETS_KEPT.load();
    // SAFETY: this CPU's block, and a helper without precondition.
    let (number, processor) =
        unsafe { ((*cpu).packets[direction as usize].wrapping_add(1), bpf_get_smp_processor_id()) };
    let ring = processor * 2 + direction as u32;
    let Some(packet) = TCP_PACKETS.get_ptr_mut(ring * slots + (number as u32 & slots.wrapping_sub(1))) else { return };
    // SAFETY: promised by the caller; a map value, which nobody else writes to now. User space takes what has the same number before and after.
    unsafe {
        (&raw mut (*packet).number).write_volatile(0);
        let (length, paged) = (load::<u32>(skb, facts::SKB_LEN.load()), load::<u32>(skb, paged_at));
        let before = network.wrapping_sub(data) as u32;
        (*packet).at_ns = now_ns();
        (*packet).length = length.wrapping_sub(before);
        (*packet).netns = sockets::netns_of_device(skb as u64);
        let device: u64 = read_or_zero(skb as u64, facts::SKB_DEVICE.load());
        (*packet).device = read_or_zero(device, index_at);
        (*packet).name = read_or_zero(device, name_at);
        // What is not in its pages.
        let there = opaque(length.wrapping_sub(paged).wrapping_sub(before) as usize);
        let kept = if there > KEPT { KEPT } else { there };
        (*packet).kept = kept as u32;
        bpf_probe_read_kernel((&raw mut (*packet).bytes).cast(), kept as u32, network as *const _);
        (&raw mut (*packet).number).write_volatile(number);
        (*cpu).packets[direction as usize] = number;
    }
}

#[inline(always)]
fn is_asked_for(port: u16) -> bool {
    TCP_PACKET_PORTS.get(u32::from(port) >> 6).is_some_and(|ports| ports >> (port & 63) & 1 != 0)
}
