//! Packets as pcapng, for Wireshark, tshark and tcpdump: what was seen where, whose it is, and between them what happened, in the same words as
//! elsewhere.
//!
//! Before its network header a packet has a header of Linux's cooked capture (`LINKTYPE_LINUX_SLL`). An interface is a device of a network
//! namespace. Who has the socket stands in a comment, and why the kernel dropped it in another; retransmissions, resets and drops, and lines of
//! the kernel's log, are blocks of the systemd journal.

mod backlog;
#[cfg(test)]
mod tests;

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

use self::backlog::{About, Backlog, Ready};
use crate::{
    escape::escape,
    snapshot::{
        log::Severity,
        tcp::{Device, Direction, Packet},
    },
};

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
    /// What is not written yet.
    pub backlog: Backlog,
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
        Ok(Self { out, devices: HashMap::new(), backlog: Backlog::default() })
    }

    /// Something that was written may not be there: what comes stands for itself.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        self.devices.clear();
        self.out.write_block(&section().into_block()).map(drop).map_err(failed)
    }

    /// Writes what had come when the last one ended.
    pub fn close_interval(&mut self) -> io::Result<()> {
        let due = self.backlog.due();
        self.write(due)
    }

    /// Writes all that is left.
    pub fn finish(&mut self) -> io::Result<()> {
        let rest = self.backlog.rest();
        self.write(rest)
    }

    fn write(&mut self, all: Vec<Ready>) -> io::Result<()> {
        for one in all {
            match one {
                Ready::Packet(packet, about) => self.packet(&packet, about)?,
                Ready::Line(line) => self.line(&line)?,
            }
        }
        self.out.get_mut().flush()
    }

    fn packet(&mut self, packet: &Packet, About { owner, dropped }: About) -> io::Result<()> {
        let interface_id = self.device(&packet.device)?;
        // The two lowest bits of the flags: 1 received, 2 sent.
        let mut options = vec![EnhancedPacketOption::Flags(match packet.direction {
            Direction::Received => 1,
            Direction::Sent => 2,
        })];
        options.extend(owner.into_iter().chain(dropped).map(|about| EnhancedPacketOption::Comment(about.into())));
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: packet.at.as_duration().unsigned_abs(),
            original_len: packet.length + COOKED as u32,
            data: cooked(packet).into(),
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

fn failed(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
