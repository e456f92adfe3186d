//! Packets as pcapng, for Wireshark, tshark and tcpdump: what was seen where, whose it is, and between them what happened, in the same words as
//! elsewhere.
//!
//! Before its network header a packet has a header of Linux's cooked capture (`LINKTYPE_LINUX_SLL`). An interface is a device of a network namespace. Who has the socket stands in a
//! comment, and why the kernel dropped it in another; retransmissions, resets and drops, and lines of the kernel's log, are blocks of the systemd journal.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::{self, Write},
};

use jiff::{SignedDuration, Timestamp};
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

use super::{
    format::UNKNOWN,
    tcp::{drops, live},
    who::NOBODY,
};
use crate::{
    escape::escape,
    snapshot::log::Severity,
    snapshot::tcp::{Device, Direction, Dropped, End, Events, Packet},
};

/// Connections whose owners are remembered.
const OWNERS: usize = 4096;
/// Intervals that a packet waits for its owner.
const LATE: u32 = 2;
/// From where a packet was seen last until it was dropped, in a queue at the most; and what two clocks may differ by.
const UNTIL_DROPPED: SignedDuration = SignedDuration::from_secs(1);
const CLOCKS: SignedDuration = SignedDuration::from_micros(100);
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
    /// Until it is known whose they are and why they were dropped, and the intervals that have ended meanwhile.
    packets: Vec<Unwritten>,
    drops: Vec<Placed>,
    lines: Vec<(JournalLine, u32)>,
}

struct Unwritten {
    packet: Packet,
    intervals: u32,
    dropped: Option<String>,
}

struct Placed {
    dropped: Dropped,
    intervals: u32,
    /// When the packet was seen that it is said of.
    of: Option<Timestamp>,
}

/// Between packets.
#[derive(Clone, Debug)]
pub struct JournalLine {
    pub at: Timestamp,
    /// As syslog numbers it.
    pub severity: Severity,
    pub by: String,
    pub text: String,
}

impl<W: Write> Pcapng<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let out = PcapNgWriter::with_section_header(out, section()).map_err(failed)?;
        let (devices, owners) = (HashMap::new(), HashMap::new());
        Ok(Self { out, devices, owners, packets: Vec::new(), drops: Vec::new(), lines: Vec::new() })
    }

    /// Something that was written may not be there: what comes stands for itself.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        self.devices.clear();
        self.out.write_block(&section().into_block()).map(drop).map_err(failed)
    }

    pub fn packets(&mut self, packets: impl IntoIterator<Item = Packet>) {
        self.packets.extend(packets.into_iter().map(|packet| Unwritten { packet, intervals: 0, dropped: None }));
    }

    pub fn lines(&mut self, lines: impl IntoIterator<Item = JournalLine>) {
        self.lines.extend(lines.into_iter().map(|line| (line, 0)));
    }

    pub fn events(&mut self, events: &Events) {
        if self.owners.len() > OWNERS {
            self.owners.clear();
        }
        for live::EventLine { at, what, ends, connection, owner, detail } in live::lines(events) {
            let text = format!("{what}  {connection}  {owner}  {detail}");
            self.lines([JournalLine { at, severity: Severity::Notice, by: "stillwatch".to_owned(), text }]);
            if owner != UNKNOWN && owner != NOBODY {
                self.owners.insert(sorted(ends), owner);
            }
        }
        let placed = |dropped: &Dropped| Placed { dropped: dropped.clone(), intervals: 0, of: None };
        self.drops.extend(events.drops.iter().map(placed));
    }

    /// A packet may pass several devices, and be sent again: it was dropped behind the last where it was seen before that. Which one that is
    /// may be known later, when more have come; and of one that comes after that one was written, nothing is said.
    fn find_dropped(&mut self) {
        self.packets.iter_mut().for_each(|held| held.dropped = None);
        let mut wanted: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, Placed { dropped, .. }) in self.drops.iter().enumerate() {
            wanted.entry((dropped.from, dropped.to, dropped.sequence)).or_default().push(number);
        }
        let mut places = vec![None; self.drops.len()];
        for (place, Unwritten { packet, .. }) in self.packets.iter().enumerate() {
            let key = sequence(&packet.bytes).map(|sequence| (packet.from, packet.to, sequence));
            for &number in key.and_then(|key| wanted.get(&key)).into_iter().flatten() {
                let Placed { dropped: Dropped { at, .. }, of, .. } = &mut self.drops[number];
                let is_before = (*at - UNTIL_DROPPED..=*at + CLOCKS).contains(&packet.at);
                if is_before && of.is_none_or(|of| of <= packet.at) {
                    (*of, places[number]) = (Some(packet.at), Some(place));
                }
            }
        }
        for (place, Placed { dropped: Dropped { cause, .. }, .. }) in places.into_iter().zip(&self.drops) {
            if let Some(held) = place.map(|place| &mut self.packets[place]) {
                held.dropped = Some(format!("dropped: {} in {}", drops::reason(cause), drops::function(cause)));
            }
        }
        self.drops.retain_mut(|placed| {
            placed.intervals += 1;
            // Packets that come after it is told are held for so long, too.
            placed.intervals <= 2 * LATE
        });
    }

    /// Writes what had come when the last one ended, in order: whose a socket is, and that a packet was dropped, may be told an interval later than
    /// the packet.
    pub fn close_interval(&mut self) -> io::Result<()> {
        self.write(LATE)
    }

    /// Writes all that is left.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write(0)
    }

    /// Those that have waited for an interval and have an owner, and those that have waited for so many.
    fn write(&mut self, late: u32) -> io::Result<()> {
        self.find_dropped();
        let mut packets = Vec::new();
        for held in std::mem::take(&mut self.packets) {
            let ends = [held.packet.from, held.packet.to];
            if held.intervals >= late || held.intervals > 0 && self.owners.contains_key(&sorted(ends)) {
                packets.push(held);
            } else {
                self.packets.push(Unwritten { intervals: held.intervals + 1, ..held });
            }
        }
        let waited = |(_, intervals): &(JournalLine, u32)| *intervals >= late.min(1);
        let (lines, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lines).into_iter().partition(waited);
        self.lines.extend(rest.into_iter().map(|(line, intervals)| (line, intervals + 1)));
        let mut lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
        packets.sort_by_key(|held| held.packet.at);
        lines.sort_by_key(|line| line.at);
        let mut lines = lines.into_iter().peekable();
        for Unwritten { packet, dropped, .. } in packets {
            while let Some(line) = lines.next_if(|line| line.at < packet.at) {
                self.line(&line)?;
            }
            self.packet(packet, dropped)?;
        }
        lines.try_for_each(|line| self.line(&line))?;
        self.out.get_mut().flush()
    }

    fn packet(&mut self, packet: Packet, dropped: Option<String>) -> io::Result<()> {
        let interface_id = self.device(&packet.device)?;
        // The two lowest bits of the flags: 1 received, 2 sent.
        let mut options = vec![EnhancedPacketOption::Flags(match packet.direction {
            Direction::Received => 1,
            Direction::Sent => 2,
        })];
        let owner = self.owners.get(&sorted([packet.from, packet.to]));
        options.extend(owner.map(|owner| EnhancedPacketOption::Comment(owner.as_str().into())));
        options.extend(dropped.map(|why| EnhancedPacketOption::Comment(why.into())));
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

    fn line(&mut self, JournalLine { at, severity, by, text }: &JournalLine) -> io::Result<()> {
        let entry = format!(
            "__REALTIME_TIMESTAMP={}\nPRIORITY={}\nSYSLOG_IDENTIFIER={}\nMESSAGE={}\n\n",
            at.as_microsecond(),
            *severity as u8,
            escape(by),
            escape(text)
        );
        let block = SystemdJournalExportBlock { journal_entry: Cow::Owned(entry.into_bytes()) };
        self.out.write_block(&block.into_block()).map(drop).map_err(failed)
    }
}

/// Of a packet that begins with its network header.
fn sequence(bytes: &[u8]) -> Option<u32> {
    let first = bytes.first()?;
    let at = 4 + if first >> 4 == 4 { usize::from(first & 0xf) * 4 } else { 40 };
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
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
        snapshot::{
            Snapshot,
            tcp::{Owners, Tcp},
        },
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
        // Whoever it was is not forgotten because an event later does not know.
        let mut later = first.clone();
        (later.at, later.owners) = (first.at + SignedDuration::from_secs(1), Owners::default());
        pcapng.events(&Events { retransmits: vec![later], ..Events::default() });
        let text = "nf_conntrack: \x1btable full".to_owned();
        pcapng.lines([JournalLine { at: first.at, severity: Severity::Error, by: "kernel".to_owned(), text }]);
        pcapng.finish().unwrap();
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
                    let own = text.contains("PRIORITY=5\n") && text.contains("MESSAGE=retransmit ");
                    assert!(own || text.contains("PRIORITY=3\nSYSLOG_IDENTIFIER=kernel\nMESSAGE=nf_"), "{text}");
                    assert!(!text.contains('\x1b'), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kinds, ['i', 'p', 'p', 'l', 'l', 'l']);
        assert_eq!(times[1] - times[0], Duration::from_nanos(1_001));
        assert_eq!(times[1], first.at.as_duration().unsigned_abs());
    }

    /// Sent, received, and sent again: what was dropped is what was received.
    #[test]
    fn a_packet_says_why_it_was_dropped() {
        let Snapshot { tcp: Some(Tcp { events, .. }), .. } = tests::snapshot() else { panic!("no tcp") };
        let dropped = events.drops[0].clone();
        let (at, ends) = (dropped.at, [dropped.from, dropped.to]);
        let us = |us| at + SignedDuration::from_micros(us);
        let kept = [
            packet(us(-30), ends, Direction::Sent),
            packet(us(-20), ends, Direction::Received),
            packet(us(-10), [ends[1], ends[0]], Direction::Sent),
            packet(us(300), ends, Direction::Sent),
        ];
        let dropped_in = |bytes: &[u8]| -> Vec<bool> {
            let mut reader = PcapNgReader::new(bytes).unwrap();
            let mut comments = Vec::new();
            while let Some(block) = reader.next_block() {
                let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
                let why = EnhancedPacketOption::Comment("dropped: netfilter drop in nf_hook_slow".into());
                comments.push(packet.options.contains(&why));
            }
            comments
        };
        let comments = |kept: &[Packet], events: &Events| -> Vec<bool> {
            let mut pcapng = Pcapng::new(Vec::new()).unwrap();
            pcapng.packets(kept.to_vec());
            pcapng.events(events);
            pcapng.finish().unwrap();
            dropped_in(&pcapng.out.into_inner())
        };
        let events = Events { drops: vec![dropped.clone()], ..Events::default() };
        assert_eq!(comments(&kept, &events), [false, true, false, false]);
        // It is told an interval later than the packet, whose owner is known.
        let mut pcapng = Pcapng::new(Vec::new()).unwrap();
        pcapng.owners.insert(sorted(ends), "front 430".to_owned());
        let written = |pcapng: &Pcapng<Vec<u8>>| String::from_utf8_lossy(pcapng.out.get_ref()).into_owned();
        pcapng.packets(kept[..2].to_vec());
        pcapng.close_interval().unwrap();
        assert!(!written(&pcapng).contains("front 430"));
        pcapng.events(&events);
        pcapng.close_interval().unwrap();
        let text = written(&pcapng);
        assert!(text.contains("front 430") && text.contains("dropped: netfilter drop in nf_hook_slow"), "{text}");
        assert!(!text.contains("MESSAGE=drop "));
        pcapng.close_interval().unwrap();
        assert!(written(&pcapng).contains("MESSAGE=drop "));
        // One was received in time, and is read after the drop was told.
        let mut pcapng = Pcapng::new(Vec::new()).unwrap();
        pcapng.packets(kept[..1].to_vec());
        pcapng.events(&events);
        pcapng.close_interval().unwrap();
        pcapng.packets(kept[1..].to_vec());
        pcapng.finish().unwrap();
        assert_eq!(dropped_in(&pcapng.out.into_inner()), [false, true, false, false]);
        // One that was sent is read after it was received, and written.
        let mut pcapng = Pcapng::new(Vec::new()).unwrap();
        pcapng.owners.insert(sorted(ends), "front 430".to_owned());
        pcapng.packets(kept[1..2].to_vec());
        pcapng.events(&events);
        (0..2).for_each(|_| pcapng.close_interval().unwrap());
        pcapng.packets(kept[..1].to_vec());
        pcapng.finish().unwrap();
        assert_eq!(dropped_in(&pcapng.out.into_inner()), [true, false]);
        let other = Dropped { sequence: dropped.sequence + 1, ..dropped };
        assert_eq!(comments(&kept, &Events { drops: vec![other], ..Events::default() }), [false; 4]);
    }
}
