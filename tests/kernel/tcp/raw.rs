//! IPv4 packets, seen and made by hand.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Result, ensure};

use super::net::Net;

/// What arrives in a network namespace over one protocol, headers included, and a way to send packets of it.
pub struct Raw {
    socket: OwnedFd,
}

/// A TCP segment in an IPv4 packet.
pub struct Segment(Vec<u8>);

impl Segment {
    fn tcp(&self) -> &[u8] {
        &self.0[usize::from(self.0[0] & 0xf) * 4..]
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.tcp()[at], self.tcp()[at + 1]])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.tcp()[at], self.tcp()[at + 1], self.tcp()[at + 2], self.tcp()[at + 3]])
    }

    pub fn destination(&self) -> u16 {
        self.half(2)
    }

    pub fn is_syn(&self) -> bool {
        self.tcp()[13] & 0x12 == 2
    }

    pub fn payload(&self) -> usize {
        self.tcp().len() - usize::from(self.tcp()[12] >> 4) * 4
    }

    /// The beginning of the packet, as an ICMP message quotes it.
    pub fn quoted(&self) -> &[u8] {
        &self.0[..28]
    }

    /// An answer that acknowledges so many bytes of it, and allows none more.
    pub fn acknowledged_without_room(&self, bytes: u32) -> Vec<u8> {
        let mut tcp = Vec::new();
        for half in [self.half(2), self.half(0)] {
            tcp.extend(half.to_be_bytes());
        }
        for word in [self.word(8), self.word(4).wrapping_add(bytes)] {
            tcp.extend(word.to_be_bytes());
        }
        // Five words of header, ACK, no window, checksum, no urgent data.
        tcp.extend([0x50, 0x10, 0, 0, 0, 0, 0, 0]);
        let mut pseudo = [&[127, 0, 0, 1, 127, 0, 0, 1, 0, 6, 0][..], &[tcp.len() as u8]].concat();
        pseudo.extend(&tcp);
        let sum = checksum(&pseudo).to_be_bytes();
        tcp[16..18].copy_from_slice(&sum);
        tcp
    }
}

/// As of the Internet's protocols; an even number of bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Raw {
    pub fn new(net: &Net, protocol: i32) -> Result<Self> {
        net.inside(|| {
            // SAFETY: no precondition.
            let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
            ensure!(socket >= 0, "a raw socket: {}", std::io::Error::last_os_error());
            let late = libc::timeval { tv_sec: 10, tv_usec: 0 };
            // SAFETY: just made; a structure and its size.
            unsafe {
                let (option, size) = ((&raw const late).cast(), size_of_val(&late) as u32);
                libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, option, size);
                Ok(Self { socket: OwnedFd::from_raw_fd(socket) })
            }
        })
    }

    /// The next segment that is as wanted, whether the socket it is for sees it or not.
    pub fn segment(&self, wanted: impl Fn(&Segment) -> bool) -> Result<Segment> {
        loop {
            let mut packet = vec![0u8; 2048];
            // SAFETY: a live buffer.
            let bytes = unsafe { libc::recv(self.socket.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
            ensure!(bytes >= 40, "no packet came: {}", std::io::Error::last_os_error());
            packet.truncate(bytes as usize);
            let segment = Segment(packet);
            if wanted(&segment) {
                return Ok(segment);
            }
        }
    }

    /// To 127.0.0.1; the kernel writes the IP header.
    pub fn send(&self, packet: &[u8]) -> Result<()> {
        // SAFETY: all zeros are an empty address.
        let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        to.sin_family = libc::AF_INET as _;
        to.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
        // SAFETY: a live buffer, an address and its size.
        let sent = unsafe {
            let (to, size) = ((&raw const to).cast(), size_of_val(&to) as u32);
            libc::sendto(self.socket.as_raw_fd(), packet.as_ptr().cast(), packet.len(), 0, to, size)
        };
        ensure!(sent == packet.len() as isize, "sendto: {}", std::io::Error::last_os_error());
        Ok(())
    }
}
