//! Fields of sockets. Read through helpers: what is behind a `struct sock` the verifier does not know, and retransmissions are rare.

use stillwatch_common::tcp::Ends;

use super::AF_INET6;
use crate::{facts, support::memory::read_or_zero};

/// Both ends, of a socket or of a request for a connection.
///
/// # Safety
/// `to` points into a map value.
#[inline(always)]
pub unsafe fn ends(common: u64, to: *mut Ends) {
    // SAFETY: promised by the caller.
    unsafe {
        (*to).local_port = read_or_zero(common, facts::SKC_LOCAL_PORT.load());
        (*to).remote_port = u16::from_be(read_or_zero(common, facts::SKC_REMOTE_PORT.load()));
        (*to).netns = netns(common);
        match (facts::SKC_LOCAL6.get(), facts::SKC_REMOTE6.get()) {
            (Some(local), Some(remote)) if read_or_zero::<u16>(common, facts::SKC_FAMILY.load()) == AF_INET6 => {
                (*to).local = read_or_zero(common, local);
                (*to).remote = read_or_zero(common, remote);
            }
            _ => {
                (*to).local = mapped(read_or_zero(common, facts::SKC_LOCAL.load()));
                (*to).remote = mapped(read_or_zero(common, facts::SKC_REMOTE.load()));
            }
        }
    }
}

/// Of a socket that may be closed: a port that the kernel chose is given back before we are told of it.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    u16::from_be(read_or_zero(sk, facts::INET_LOCAL_PORT.load()))
}

/// Where a packet's network header begins.
#[inline(always)]
pub fn network_header(skb: u64) -> u64 {
    let head: u64 = read_or_zero(skb, facts::SKB_HEAD.load());
    head.wrapping_add(read_or_zero::<u16>(skb, facts::SKB_NETWORK.load()).into())
}

/// Where a packet's TCP header begins, as the kernel noted it.
#[inline(always)]
pub fn transport_header(skb: u64) -> u64 {
    let head: u64 = read_or_zero(skb, facts::SKB_HEAD.load());
    head.wrapping_add(read_or_zero::<u16>(skb, facts::SKB_TRANSPORT.load()).into())
}

pub const ETH_P_IP: u16 = 0x0800;
pub const ETH_P_IPV6: u16 = 0x86dd;

/// Where the TCP header of any packet begins, from its network header: the kernel has not noted it everywhere yet. `None`: it is
/// not TCP. Behind extension headers of IPv6 it is not looked for.
#[inline(always)]
pub fn tcp_header(skb: u64) -> Option<u64> {
    let (protocol, network) = (u16::from_be(read_or_zero(skb, facts::SKB_PROTOCOL.load())), network_header(skb));
    if protocol != ETH_P_IP && protocol != ETH_P_IPV6 {
        return None;
    }
    let first: u8 = read_or_zero(network, 0);
    let (next, length) = if protocol == ETH_P_IP { (9, u64::from(first & 0xf) * 4) } else { (6, 40) };
    let tcp = u16::from(read_or_zero::<u8>(network, next)) == super::IPPROTO_TCP;
    let version = if protocol == ETH_P_IP { 4 } else { 6 };
    (tcp && first >> 4 == version).then(|| network.wrapping_add(length))
}

/// The number of a socket's network namespace.
#[inline(always)]
pub fn netns(common: u64) -> u32 {
    let net: u64 = read_or_zero(common, facts::SKC_NET.load());
    read_or_zero(net, facts::NET_NUMBER.load())
}

/// The same of the device that a packet is at; 0: at none.
#[inline(always)]
pub fn netns_of_device(skb: u64) -> u32 {
    let device: u64 = read_or_zero(skb, facts::SKB_DEVICE.load());
    if device == 0 {
        return 0;
    }
    let net: u64 = read_or_zero(device, facts::DEVICE_NET.load());
    read_or_zero(net, facts::NET_NUMBER.load())
}

/// Both ends as the receiver of a packet sees them. Leaves the network namespace as it is.
///
/// # Safety
/// `to` points into a map value.
#[inline(always)]
pub unsafe fn ends_of_packet(skb: u64, transport: u64, to: *mut Ends) {
    let network = network_header(skb);
    // SAFETY: promised by the caller.
    unsafe {
        (*to).remote_port = u16::from_be(read_or_zero(transport, 0));
        (*to).local_port = u16::from_be(read_or_zero(transport, 2));
        if read_or_zero::<u8>(network, 0) >> 4 == 6 {
            (*to).remote = read_or_zero(network, 8);
            (*to).local = read_or_zero(network, 24);
        } else {
            (*to).remote = mapped(read_or_zero(network, 12));
            (*to).local = mapped(read_or_zero(network, 16));
        }
    }
}

#[inline(always)]
fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// Number of the inode that descriptors of the socket lead to; 0 where there is none, of a socket that was closed.
#[inline(always)]
pub fn inode(sk: u64) -> u64 {
    let socket: u64 = read_or_zero(sk, facts::SK_SOCKET.load());
    if socket == 0 { 0 } else { read_or_zero(socket, facts::SOCKET_INODE.load()) }
}
