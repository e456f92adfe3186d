//! The last packets, of connections that something happens to.
//!
//! Rings are read only then: what was before, and for two seconds what comes after.

use std::{net::Ipv4Addr, time::Duration};

use aya::Ebpf;
use stillwatch_common::tcp::{Direction, Ends, Packet};

use super::super::hash_table::{fd, unreadable};
use crate::{
    cli::plan,
    kernel::{loader::LoadError, mapping::Mapping},
    sample::{Captured, TcpEvents},
    snapshot::Lost,
};

/// Of all rings together.
const BYTES: usize = 16 << 20;
const MOST: usize = 8192;
/// How long packets are kept of a connection after what happened to it.
const AFTER: Duration = Duration::from_secs(2);
/// Connections at a time.
const CONNECTIONS: usize = 256;

/// Entries of a ring.
pub fn kept(processors: u32) -> u32 {
    let fit = BYTES / (2 * processors.max(1) as usize * size_of::<Packet>());
    let fit = fit.clamp(1, MOST);
    // The power of two below.
    1 << fit.ilog2()
}

/// Words of the table of ports.
pub const PORT_WORDS: u32 = 1024;

pub struct Rings {
    packets: Mapping<Packet>,
    /// Entries of each.
    slots: usize,
    /// Number of the last packet of each that was there when they were read last.
    seen: Vec<u64>,
    /// Those that something happens to, and after these some that something has happened to: what was taken is not taken again.
    affected: Vec<Affected>,
    /// When they were read last, and whether that was for somebody.
    read_at: Duration,
    follows: bool,
    /// Those that are asked for by name, whether something happens to them or not.
    asked: plan::Tcp,
    /// Kept of what each carries.
    payload: usize,
    overwritten: u64,
    left_out: u64,
}

/// A connection, whichever end is ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Pair([Place; 2]);

/// Address, as IPv6 writes it, and port.
type Place = ([u8; 16], u16);

struct Affected {
    pair: Pair,
    until: Duration,
    is_new: bool,
    /// Number of its last packet that was taken, by ring.
    taken: Vec<u64>,
}

impl Pair {
    fn new(one: Place, other: Place) -> Self {
        Self(if one <= other { [one, other] } else { [other, one] })
    }

    fn of(ends: &Ends) -> Self {
        Self::new((ends.local, ends.local_port), (ends.remote, ends.remote_port))
    }

    fn has(&self, asked: &plan::Tcp) -> bool {
        let port = asked.ports.is_empty() || self.0.iter().any(|(_, port)| asked.ports.contains(port));
        let within = |address| asked.addresses.iter().any(|prefix| prefix.contains(address));
        port && (asked.addresses.is_empty() || self.0.iter().any(|(address, _)| within(*address)))
    }
}

/// An IPv4 address as IPv6 writes it.
fn mapped(bytes: &[u8]) -> Option<[u8; 16]> {
    let address: [u8; 4] = bytes.try_into().ok()?;
    Some(Ipv4Addr::from(address).to_ipv6_mapped().octets())
}

impl Rings {
    /// `None`: packets are not asked for.
    pub fn new(ebpf: &mut Ebpf, asked: &plan::Tcp, processors: usize) -> Result<Option<Self>, LoadError> {
        let Some(payload) = asked.pcap.as_ref().map(|pcap| pcap.payload) else { return Ok(None) };
        let (slots, rings) = (kept(processors as u32) as usize, 2 * processors);
        let packets = Mapping::new(fd(ebpf, "TCP_PACKETS")?, rings * slots, false).map_err(unreadable)?;
        let ports =
            Mapping::<u64>::new(fd(ebpf, "TCP_PACKET_PORTS")?, PORT_WORDS as usize, true).map_err(unreadable)?;
        for (word, place) in ports.values().enumerate() {
            let own = asked.ports.iter().filter(|&&port| usize::from(port) / 64 == word);
            let some = own.fold(0, |bits, port| bits | 1 << (port % 64));
            // SAFETY: inside the mapping; no program runs yet.
            unsafe { place.write_volatile(if asked.ports.is_empty() { u64::MAX } else { some }) };
        }
        let (seen, asked) = (vec![0; rings], asked.clone());
        Ok(Some(Self {
            packets,
            slots,
            seen,
            affected: Vec::new(),
            read_at: Duration::ZERO,
            follows: false,
            asked,
            payload,
            overwritten: 0,
            left_out: 0,
        }))
    }

    /// After events. `last`: what is asked for by port or address is taken, too, whether something happened to it or not.
    pub fn read(&mut self, events: &TcpEvents, now: Duration, last: bool) -> Vec<Captured> {
        self.happened(events, now);
        let all = last && !(self.asked.ports.is_empty() && self.asked.addresses.is_empty());
        let mut packets = Vec::new();
        let before = std::mem::replace(&mut self.read_at, now);
        let is_followed = |one: &Affected| one.until > before;
        if !all && !self.affected.iter().any(is_followed) {
            self.follows = false;
            return packets;
        }
        // Of one that is new here all that is there is asked for.
        let whole = all || self.affected.iter().any(|one| one.is_new);
        for ring in 0..self.seen.len() {
            let direction = Direction::ALL[ring % 2];
            let from = if whole { 0 } else { self.seen[ring] };
            for mut packet in self.read_ring(ring, from) {
                let Some(Header { from, to, length }) = header_of(&packet) else { continue };
                packet.kept = packet.kept.min((length + self.payload) as u32);
                let pair = Pair::new(from, to);
                if !pair.has(&self.asked) {
                    continue;
                }
                let is_new = match self.affected.iter_mut().find(|one| one.pair == pair) {
                    Some(own) if all || is_followed(own) => {
                        let taken = &mut own.taken[ring];
                        packet.number > std::mem::replace(taken, packet.number.max(*taken))
                    }
                    Some(_) => false,
                    None => all,
                };
                if is_new {
                    packets.push(Captured { packet, direction, from, to });
                }
            }
        }
        self.affected.iter_mut().for_each(|one| one.is_new = false);
        self.follows = true;
        packets.sort_by_key(|one| one.packet.at_ns);
        packets
    }

    fn happened(&mut self, events: &TcpEvents, now: Duration) {
        let retransmits = events.retransmits.iter().map(|event| &event.ends);
        let others = events.connects.iter().map(|it| &it.ends).chain(events.resets.iter().map(|it| &it.ends));
        let ends = retransmits.chain(others).chain(events.drops.iter().map(|it| &it.ends));
        let rings = self.seen.len();
        for pair in ends.map(Pair::of).filter(|pair| pair.has(&self.asked)) {
            let until = now + AFTER;
            if let Some(known) = self.affected.iter_mut().find(|one| one.pair == pair) {
                // What came since it was followed last.
                known.is_new |= known.until <= self.read_at;
                known.until = until;
                continue;
            }
            let new = Affected { pair, until, is_new: true, taken: vec![0; rings] };
            if self.affected.len() < CONNECTIONS {
                self.affected.push(new);
            } else if let Some(over) = self.affected.iter_mut().find(|one| one.until <= self.read_at) {
                *over = new;
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Those behind that number, in order.
    fn read_ring(&mut self, ring: usize, from: u64) -> Vec<Packet> {
        let slots = self.packets.values().skip(ring * self.slots).take(self.slots);
        let mut packets: Vec<Packet> = slots.filter_map(|slot| whole(slot, from)).collect();
        packets.sort_unstable_by_key(|packet| packet.number);
        if let (Some(first), Some(last)) = (packets.first(), packets.last()) {
            let seen = std::mem::replace(&mut self.seen[ring], last.number);
            if self.follows {
                self.overwritten += first.number.saturating_sub(seen + 1);
            }
        }
        packets
    }

    /// Since the begin.
    pub fn lost(&self) -> [Lost; 2] {
        [
            Lost { cause: "packets overwritten before they were read", count: self.overwritten },
            Lost { cause: "connections too many to keep packets of", count: self.left_out },
        ]
    }
}

/// Who sent a packet, to whom, and how many bytes stand before what it carries.
struct Header {
    from: Place,
    to: Place,
    length: usize,
}

fn header_of(packet: &Packet) -> Option<Header> {
    header(&packet.bytes[..(packet.kept as usize).min(packet.bytes.len())])
}

/// Of a packet that begins with its network header; `None`: too little is kept of it.
fn header(bytes: &[u8]) -> Option<Header> {
    let first = *bytes.first()?;
    let (from, to, transport) = if first >> 4 == 4 {
        (mapped(bytes.get(12..16)?)?, mapped(bytes.get(16..20)?)?, usize::from(first & 0xf) * 4)
    } else {
        (bytes.get(8..24)?.try_into().ok()?, bytes.get(24..40)?.try_into().ok()?, 40)
    };
    let port = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let length = transport + usize::from(bytes.get(transport + 12)? >> 4) * 4;
    Some(Header { from: (from, port(transport)?), to: (to, port(transport + 2)?), length })
}

/// One behind that number, as it is if nobody wrote there meanwhile.
fn whole(place: *mut Packet, from: u64) -> Option<Packet> {
    // SAFETY: inside the mapping; the kernel writes at any time, and the number tells whether it did.
    let number = || unsafe { (&raw const (*place).number).read_volatile() };
    let before = number();
    if before <= from {
        return None;
    }
    // SAFETY: as above; plain integers.
    let packet = unsafe { place.read_volatile() };
    (packet.number == before && number() == before).then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_fit_into_what_they_may_take() {
        for processors in [1, 2, 3, 64, 256, 4096] {
            let kept = kept(processors);
            let bytes = kept as usize * size_of::<Packet>() * 2 * processors as usize;
            assert!(kept.is_power_of_two() && kept <= 8192 && (bytes <= BYTES || kept == 1), "{processors}: {kept}");
        }
        assert_eq!(kept(2), 8192);
    }

    #[test]
    fn a_connection_is_the_same_from_both_ends() {
        let mut bytes = [0; 53];
        bytes[0] = 0x46;
        bytes[12..20].copy_from_slice(&[10, 7, 0, 1, 10, 7, 0, 2]);
        bytes[24..28].copy_from_slice(&[0x15, 0x38, 0xd0, 0x01]);
        let address = |last| mapped(&[10, 7, 0, last]).unwrap();
        let ends = |local, remote, ports: [u16; 2]| Ends {
            local,
            remote,
            local_port: ports[0],
            remote_port: ports[1],
            netns: 7,
        };
        let pair_of = |bytes: &[u8]| header(bytes).map(|Header { from, to, .. }| Pair::new(from, to));
        let pair = pair_of(&bytes).unwrap();
        assert_eq!(pair, Pair::of(&ends(address(1), address(2), [5432, 53249])));
        assert_eq!(pair, Pair::of(&ends(address(2), address(1), [53249, 5432])));
        assert_ne!(pair, Pair::of(&ends(address(1), address(2), [53249, 5432])));
        bytes[0] = 0x60;
        bytes[40..44].copy_from_slice(&[0, 1, 0, 2]);
        assert_ne!(pair_of(&bytes), Some(pair));
        assert!((0..53).all(|cut| pair_of(&bytes[..cut]).is_none()) && pair_of(&bytes).is_some());
        bytes[52] = 0x80;
        assert_eq!(header(&bytes).map(|header| header.length), Some(72));
    }
}
