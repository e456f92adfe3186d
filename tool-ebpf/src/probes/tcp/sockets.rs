//! Fields of sockets. Read through helpers: what is behind a `struct sock` the verifier does not know, and retransmissions are rare.

use stillwatch_common::tcp::Ends;

use crate::{facts, support::memory::read_or_zero};

const AF_INET6: u16 = 10;

/// Both ends, of a socket or of a request for a connection.
///
/// # Safety
/// `to` points into a map value.
#[inline(always)]
pub unsafe fn ends(common: u64, to: *mut Ends) {
    let net: u64 = read_or_zero(common, facts::SKC_NET.load());
    // SAFETY: promised by the caller.
    unsafe {
        (*to).local_port = read_or_zero(common, facts::SKC_LOCAL_PORT.load());
        (*to).remote_port = u16::from_be(read_or_zero(common, facts::SKC_REMOTE_PORT.load()));
        (*to).netns = read_or_zero(net, facts::NET_NUMBER.load());
        if read_or_zero::<u16>(common, facts::SKC_FAMILY.load()) == AF_INET6 {
            (*to).local = read_or_zero(common, facts::SKC_LOCAL6.load());
            (*to).remote = read_or_zero(common, facts::SKC_REMOTE6.load());
        } else {
            (*to).local = mapped(read_or_zero(common, facts::SKC_LOCAL.load()));
            (*to).remote = mapped(read_or_zero(common, facts::SKC_REMOTE.load()));
        }
    }
}

/// Of a socket that may be closed: a port that the kernel chose is given back before we are told of it.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    u16::from_be(read_or_zero(sk, facts::INET_LOCAL_PORT.load()))
}

/// Both ends as the receiver of a packet sees them. Leaves the network namespace as it is, if the packet's is not known.
///
/// # Safety
/// `to` points into a map value.
#[inline(always)]
pub unsafe fn ends_of_packet(skb: u64, to: *mut Ends) {
    let head: u64 = read_or_zero(skb, facts::SKB_HEAD.load());
    let network = head.wrapping_add(read_or_zero::<u16>(skb, facts::SKB_NETWORK.load()).into());
    let transport = head.wrapping_add(read_or_zero::<u16>(skb, facts::SKB_TRANSPORT.load()).into());
    let device: u64 = read_or_zero(skb, facts::SKB_DEVICE.load());
    // SAFETY: promised by the caller.
    unsafe {
        (*to).remote_port = u16::from_be(read_or_zero(transport, 0));
        (*to).local_port = u16::from_be(read_or_zero(transport, 2));
        if device != 0 {
            let net: u64 = read_or_zero(device, facts::DEVICE_NET.load());
            (*to).netns = read_or_zero(net, facts::NET_NUMBER.load());
        }
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
