//! Packets as pcapng, for Wireshark, tshark and tcpdump: what was seen where, whose it is, and between them what happened, in the same words as
//! elsewhere.
//!
//! Before its network header a packet has a header of Linux's cooked capture (`LINKTYPE_LINUX_SLL`). An interface is a device of a network namespace. Who has the socket stands in a
//! comment; retransmissions, resets and drops are blocks of the systemd journal.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::{self, Write},
};

use jiff::Timestamp;
use pcap_file::{
    DataLink, PcapError,
    pcapng::{
        PcapNgBlock, PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
            systemd_journal_export::SystemdJournalExportBlock,
        },
    },
};

use super::{format::UNKNOWN, tcp::live};
use crate::{
    escape::escape,
    snapshot::tcp::{Device, Direction, End, Events, Packet},
};

/// Connections whose owners are remembered.
const OWNERS: usize = 4096;
/// Intervals that a packet waits for its owner.
const LATE: u32 = 2;
/// Of the cooked capture: direction, kind of device, no address, protocol. Without it (`LINKTYPE_RAW`) libpcap refuses files of more than one
/// interface: it compares the number of the link type in the file with its own, and of that one they differ.
const COOKED: usize = 16;
const COOKED_SENT: u8 = 4;
/// `ARPHRD_NONE`: there is nothing before the network header.
const NO_HEADER: [u8; 2] = [0xff, 0xfe];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Timestamps are nanoseconds.
const NANOSECONDS: u8 = 9;

pub struct Pcapng<W: Write> {
    out: PcapNgWriter<W>,
    devices: HashMap<Device, u32>,
    /// Who has a connection, by its ends.
    owners: HashMap<[End; 2], String>,
    /// Until it is known whose they are, and the intervals for which that was waited for.
    packets: Vec<(Packet, u32)>,
    lines: Vec<(Timestamp, String)>,
}

impl<W: Write> Pcapng<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let out = PcapNgWriter::with_section_header(out, section()).map_err(failed)?;
        let (devices, owners) = (HashMap::new(), HashMap::new());
        Ok(Self { out, devices, owners, packets: Vec::new(), lines: Vec::new() })
    }

    /// Something that was written may not be there: what comes stands for itself.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        self.devices.clear();
        self.out.write_block(&section().into_block()).map(drop).map_err(failed)
    }

    pub fn packets(&mut self, packets: impl IntoIterator<Item = Packet>) {
        self.packets.extend(packets.into_iter().map(|packet| (packet, 0)));
    }

    pub fn events(&mut self, events: &Events) {
        if self.owners.len() > OWNERS {
            self.owners.clear();
        }
        for live::EventLine { at, what, ends, connection, owner, detail } in live::lines(events) {
            self.lines.push((at, format!("{what}  {connection}  {owner}  {detail}")));
            if owner != UNKNOWN {
                self.owners.insert(sorted(ends), owner);
            }
        }
    }

    /// Writes what has come since the last, in order. Whose a socket is may be found out an interval later.
    pub fn close_interval(&mut self) -> io::Result<()> {
        self.write(LATE)
    }

    /// Writes all that is left.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write(0)
    }

    /// Those with an owner, and those that have waited for so many intervals.
    fn write(&mut self, late: u32) -> io::Result<()> {
        let mut packets = Vec::new();
        for (packet, waited) in std::mem::take(&mut self.packets) {
            if waited >= late || self.owners.contains_key(&sorted([packet.from, packet.to])) {
                packets.push(packet);
            } else {
                self.packets.push((packet, waited + 1));
            }
        }
        let mut lines = std::mem::take(&mut self.lines);
        packets.sort_by_key(|packet| packet.at);
        lines.sort_by_key(|(at, _)| *at);
        let mut lines = lines.into_iter().peekable();
        for packet in packets {
            while let Some((at, line)) = lines.next_if(|(at, _)| *at < packet.at) {
                self.line(at, &line)?;
            }
            self.packet(packet)?;
        }
        lines.try_for_each(|(at, line)| self.line(at, &line))?;
        self.out.get_mut().flush()
    }

    fn packet(&mut self, packet: Packet) -> io::Result<()> {
        let interface_id = self.device(&packet.device)?;
        // The two lowest bits of the flags: 1 received, 2 sent.
        let mut options = vec![EnhancedPacketOption::Flags(match packet.direction {
            Direction::Received => 1,
            Direction::Sent => 2,
        })];
        let owner = self.owners.get(&sorted([packet.from, packet.to]));
        options.extend(owner.map(|owner| EnhancedPacketOption::Comment(owner.as_str().into())));
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: packet.at.as_duration().unsigned_abs(),
            original_len: packet.length + COOKED as u32,
            data: cooked(&packet).into(),
            options,
        };
        self.out.write_block(&block.into_block()).map(drop).map_err(failed)
    }

    fn device(&mut self, device: &Device) -> io::Result<u32> {
        if let Some(&known) = self.devices.get(device) {
            return Ok(known);
        }
        let number = self.devices.len() as u32;
        let description = format!("network namespace {}, device {}", device.netns, device.number);
        let options = vec![
            InterfaceDescriptionOption::IfName(escape(&device.name)),
            InterfaceDescriptionOption::IfDescription(description.into()),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ];
        let block = InterfaceDescriptionBlock { linktype: DataLink::LINUX_SLL, snaplen: 0, options };
        self.out.write_block(&block.into_block()).map_err(failed)?;
        self.devices.insert(device.clone(), number);
        Ok(number)
    }

    /// `line`: escaped.
    fn line(&mut self, at: Timestamp, line: &str) -> io::Result<()> {
        let entry = format!(
            "__REALTIME_TIMESTAMP={}\nPRIORITY=5\nSYSLOG_IDENTIFIER=stillwatch\nMESSAGE={line}\n\n",
            at.as_microsecond()
        );
        let block = SystemdJournalExportBlock { journal_entry: Cow::Owned(entry.into_bytes()) };
        self.out.write_block(&block.into_block()).map(drop).map_err(failed)
    }
}

fn cooked(packet: &Packet) -> Vec<u8> {
    let mut bytes = vec![0; COOKED];
    bytes[1] = if packet.direction == Direction::Sent { COOKED_SENT } else { 0 };
    bytes[2..4].copy_from_slice(&NO_HEADER);
    let is_v6 = packet.bytes.first().is_some_and(|first| first >> 4 == 6);
    bytes[14..].copy_from_slice(if is_v6 { &IPV6 } else { &IPV4 });
    bytes.extend_from_slice(&packet.bytes);
    bytes
}

fn section() -> SectionHeaderBlock<'static> {
    let tool = SectionHeaderOption::UserApplication(concat!("stillwatch ", env!("CARGO_PKG_VERSION")).into());
    SectionHeaderBlock { options: vec![tool], ..SectionHeaderBlock::default() }
}

fn sorted(mut ends: [End; 2]) -> [End; 2] {
    ends.sort_unstable();
    ends
}

fn failed(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::{
        sinks::tcp::tests,
        snapshot::{Snapshot, tcp::Tcp},
    };

    fn packet(at: Timestamp, [from, to]: [End; 2], direction: Direction) -> Packet {
        let device = Device { netns: 4_026_532_177, number: 3, name: "ve\u{1b}th".into() };
        Packet { at, direction, device, from, to, length: 1500, bytes: vec![0x45; 41] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let Snapshot { tcp: Some(Tcp { events, .. }), .. } = tests::snapshot() else { panic!("no tcp") };
        let first = events.retransmits[0].clone();
        let ends = [first.local, first.remote];
        let before = first.at - Duration::from_nanos(1_001);
        let mut pcapng = Pcapng::new(Vec::new()).unwrap();
        pcapng.packets([
            packet(first.at, [ends[1], ends[0]], Direction::Received),
            packet(before, ends, Direction::Sent),
        ]);
        pcapng.events(&Events { retransmits: vec![first.clone()], ..Events::default() });
        pcapng.close_interval().unwrap();
        let bytes = pcapng.out.into_inner();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let (mut kinds, mut times) = (Vec::new(), Vec::new());
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::InterfaceDescription(it) => {
                    kinds.push('i');
                    assert!(it.options.contains(&InterfaceDescriptionOption::IfName("ve\\x1bth".into())));
                }
                Block::EnhancedPacket(it) => {
                    kinds.push('p');
                    times.push(it.timestamp);
                    assert_eq!((it.interface_id, it.original_len, it.data.len()), (0, 1516, 57));
                    assert_eq!((it.data[1] == COOKED_SENT, &it.data[14..17]), (times.len() == 1, &[8, 0, 0x45][..]));
                    let owner = EnhancedPacketOption::Comment(live::lines(&events).remove(0).owner.into());
                    assert!(it.options.contains(&owner), "{:?}", it.options);
                }
                Block::SystemdJournalExport(it) => {
                    kinds.push('l');
                    let text = String::from_utf8(it.journal_entry.to_vec()).unwrap();
                    assert!(text.contains("MESSAGE=retransmit ") && !text.contains('\x1b'), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kinds, ['i', 'p', 'p', 'l']);
        assert_eq!(times[1] - times[0], Duration::from_nanos(1_001));
        assert_eq!(times[1], first.at.as_duration().unsigned_abs());
    }
}
