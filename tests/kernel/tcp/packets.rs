//! Packets that are kept of a connection that retransmits: each message, before and after, and nobody else's.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use pcap_file::pcapng::{
    Block, PcapNgReader,
    blocks::{
        enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
        interface_description::InterfaceDescriptionOption,
    },
};

use super::{
    super::{Test, every_kernel, stillwatch::Watch},
    lost,
    net::{Loss, Net, lose, lose_nothing},
};

pub const TESTS: &[Test] = &[
    every_kernel("tcp_keeps_packets_of_who_retransmits", affected),
    every_kernel("tcp_keeps_packets_of_a_port", || of_a_port("127.0.0.1", None)),
    every_kernel("tcp_keeps_packets_of_ipv6", || of_a_port("::1", None)),
    every_kernel("tcp_keeps_so_much_of_packets", || of_a_port("127.0.0.1", Some(7))),
];

const MESSAGE: usize = 97;
/// The header of Linux's cooked capture.
const COOKED: usize = 16;
/// A header of TCP with its time stamps.
const TCP: usize = 32;
/// The message that is lost the second time.
const AGAIN: u8 = 13;
/// Of the two lowest bits of a packet's flags.
const RECEIVED: u32 = 1;
const SENT: u32 = 2;

fn pass(number: u8, from: &mut TcpStream, to: &mut TcpStream) -> Result<()> {
    from.write_all(&[number; MESSAGE])?;
    to.read_exact(&mut [0; MESSAGE])?;
    Ok(())
}

/// What a file has.
#[derive(Default)]
struct Kept {
    packets: Vec<EnhancedPacketBlock<'static>>,
    /// Name and description.
    devices: Vec<(String, String)>,
    lines: Vec<String>,
}

impl Kept {
    /// Of the devices there: something happens to connections of other tests, too.
    fn of(path: &str, nets: &[&Net]) -> Result<Self> {
        let mut kept = Self::read(path)?;
        let is_own = |(_, description): &(String, String)| {
            nets.iter().any(|net| description.starts_with(&format!("network namespace {}, ", net.number)))
        };
        let devices = &kept.devices;
        kept.packets.retain(|packet| devices.get(packet.interface_id as usize).is_some_and(is_own));
        Ok(kept)
    }

    fn read(path: &str) -> Result<Self> {
        let bytes = fs::read(path)?;
        let mut reader = PcapNgReader::new(&bytes[..])?;
        let mut kept = Self::default();
        while let Some(block) = reader.next_block() {
            match block? {
                Block::EnhancedPacket(packet) => kept.packets.push(packet.into_owned()),
                Block::InterfaceDescription(device) => {
                    let (mut name, mut description) = Default::default();
                    for option in device.options {
                        match option {
                            InterfaceDescriptionOption::IfName(text) => name = text.into_owned(),
                            InterfaceDescriptionOption::IfDescription(text) => description = text.into_owned(),
                            _ => {}
                        }
                    }
                    kept.devices.push((name, description));
                }
                Block::SystemdJournalExport(line) => {
                    kept.lines.push(String::from_utf8(line.journal_entry.into_owned())?);
                }
                _ => {}
            }
        }
        Ok(kept)
    }

    /// Packets of that direction with that message: those with data are only theirs.
    fn with(&self, number: u8, direction: u32) -> Vec<&EnhancedPacketBlock<'static>> {
        let first = self.packets.iter().filter_map(Self::message).min();
        let is_it = |packet: &&EnhancedPacketBlock| {
            Self::message(packet) == first.map(|first| first + u32::from(number) * MESSAGE as u32)
                && packet.options.contains(&EnhancedPacketOption::Flags(direction))
        };
        self.packets.iter().filter(is_it).collect()
    }

    /// The same for both.
    fn sent_and_received(&self, number: u8) -> [usize; 2] {
        [SENT, RECEIVED].map(|direction| self.with(number, direction).len())
    }

    /// Sequence number of a packet that is as long as one with a message.
    fn message(packet: &EnhancedPacketBlock) -> Option<u32> {
        let at = Self::transport(packet);
        let sequence = packet.data.get(at + 4..at + 8)?.try_into().ok()?;
        (packet.original_len as usize == at + TCP + MESSAGE).then(|| u32::from_be_bytes(sequence))
    }

    /// What is kept of what it carries.
    fn payload<'a>(packet: &'a EnhancedPacketBlock) -> &'a [u8] {
        packet.data.get(Self::transport(packet) + TCP..).unwrap_or_default()
    }

    fn transport(packet: &EnhancedPacketBlock) -> usize {
        COOKED + if packet.data[COOKED] >> 4 == 4 { 20 } else { 40 }
    }

    fn ports(packet: &EnhancedPacketBlock) -> [u16; 2] {
        [0, 2]
            .map(|at| Self::transport(packet) + at)
            .map(|at| u16::from_be_bytes([packet.data[at], packet.data[at + 1]]))
    }
}

/// A file that is removed again.
struct Scratch(String);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stillwatch-{}-{number}.pcapng", std::process::id()));
        Self(path.to_string_lossy().into_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn affected() -> Result<()> {
    /// What the kernel says meanwhile.
    const SAID: &str = "a line of the kernel's log, for packets";
    let ([net, far], elsewhere) = (Net::pair()?, Net::new()?);
    let mut there = elsewhere.connect("127.0.0.1")?;
    let (mut client, mut server) = net.connect_to(&far, "10.7.0.2")?;
    let (mut other, mut peer) = net.connect_to(&far, "10.7.0.2")?;
    let (from, port) = (client.local_addr()?.to_string(), client.local_addr()?.port());
    let file = Scratch::new();
    let mut watch = Watch::of("tcp", &["--pcap", &file.0], &[])?;
    watch.next()?;
    for number in 0..5 {
        pass(number, &mut client, &mut server)?;
        pass(100 + number, &mut other, &mut peer)?;
    }
    // Without its end nobody sees it before the next.
    fs::write("/dev/kmsg", format!("<3>stillwatch-tests: {SAID}\n"))?;
    lose(&server, Loss::All)?;
    client.write_all(&[5; MESSAGE])?;
    // What happens in another network namespace is on another interface.
    lose(&there.1, Loss::All)?;
    there.0.write_all(&[5; MESSAGE])?;
    sleep(Duration::from_millis(500));
    lose_nothing(&there.1)?;
    lose_nothing(&server)?;
    server.read_exact(&mut [0; MESSAGE])?;
    for number in 6..AGAIN {
        pass(number, &mut client, &mut server)?;
        pass(100 + number, &mut other, &mut peer)?;
    }
    // Nobody follows it any more, until something happens to it again: what was in between is there, and nothing twice.
    sleep(Duration::from_secs(3));
    lose(&server, Loss::All)?;
    client.write_all(&[AGAIN; MESSAGE])?;
    sleep(Duration::from_millis(500));
    lose_nothing(&server)?;
    server.read_exact(&mut [0; MESSAGE])?;
    pass(AGAIN + 1, &mut client, &mut server)?;
    for _ in 0..3 {
        watch.next()?;
    }
    watch.stop()?;
    lost(&watch)?;
    let kept = Kept::of(&file.0, &[&net, &far])?;
    for number in 0..AGAIN + 2 {
        let [sent, received] = kept.sent_and_received(number);
        let fits =
            if [5, AGAIN].contains(&number) { sent >= 2 && received == sent } else { sent == 1 && received == 1 };
        ensure!(fits, "message {number}: {sent} sent, {received} received, of {} packets", kept.packets.len());
        for packet in [SENT, RECEIVED].into_iter().flat_map(|direction| kept.with(number, direction)) {
            carries(packet, number, MESSAGE)?;
        }
    }
    ensure!(kept.packets.iter().all(|packet| Kept::ports(packet).contains(&port)), "somebody else's");
    let own = format!(" {}", std::process::id());
    let named = |packet: &EnhancedPacketBlock| {
        packet.options.iter().any(|it| matches!(it, EnhancedPacketOption::Comment(who) if who.ends_with(&own)))
    };
    ensure!(kept.packets.iter().all(named), "without its owner: {:?}", kept.packets.first().map(|it| &it.options));
    // Those that the receiver's filter dropped say so, where they were seen last; the next ones do not.
    let is_dropped = |packet: &&EnhancedPacketBlock| {
        let says = |it: &EnhancedPacketOption| matches!(it, EnhancedPacketOption::Comment(text) if text.starts_with("dropped: "));
        packet.options.iter().any(says)
    };
    let dropped = |number, direction| kept.with(number, direction).into_iter().filter(is_dropped).count();
    let drops: Vec<_> =
        watch.events.iter().filter(|event| event["event"] == "drop" && event["from"] == from.as_str()).collect();
    let mut said = 0;
    for number in 0..AGAIN + 2 {
        let lost = kept.sent_and_received(number)[1] - 1;
        let dropped = (dropped(number, SENT), dropped(number, RECEIVED));
        let times = |direction| kept.with(number, direction).iter().map(|it| it.timestamp).collect::<Vec<_>>();
        let times = [times(SENT), times(RECEIVED)];
        ensure!(dropped == (0, lost), "message {number}: {dropped:?} of {lost} were dropped: {times:?}, {drops:#?}");
        said += lost;
    }
    ensure!(drops.len() == said, "{said} say so of {drops:#?}");
    let has = |words: &[&str]| kept.lines.iter().any(|line| words.iter().all(|words| line.contains(words)));
    ensure!(has(&["MESSAGE=retransmit ", "PRIORITY=5\n"]), "{:?}", kept.lines);
    ensure!(has(&[SAID, "PRIORITY=3\n", "SYSLOG_IDENTIFIER=stillwatch-tests\n"]), "{:?}", kept.lines);
    // Those that people have say the same.
    if let Ok(output) = Command::new("tcpdump").args(["-nr", &file.0]).output() {
        let text = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (lines, data) = (text.lines().count(), text.lines().filter(|line| line.ends_with("length 97")).count());
        let messages: usize = (0..AGAIN + 2).map(|number| kept.sent_and_received(number).iter().sum::<usize>()).sum();
        let all = Kept::read(&file.0)?.packets.len();
        ensure!(all > kept.packets.len(), "one interface only");
        ensure!(lines == all && data >= messages && messages > 0, "{lines} lines, {data} messages:\n{text}");
    }
    Ok(())
}

/// What a process sends lies in pages, and where these are is not known everywhere.
fn carries(packet: &EnhancedPacketBlock, number: u8, most: usize) -> Result<()> {
    let payload = Kept::payload(packet);
    let expected = if Path::new("/proc/kcore").exists() { MESSAGE.min(most) } else { 0 };
    ensure!(payload == vec![number; expected], "message {number} carries {payload:?}");
    Ok(())
}

/// At the end, whether something happened to it or not. A loopback device receives what it sends: it is there once.
fn of_a_port(address: &str, payload: Option<usize>) -> Result<()> {
    let net = Net::new()?;
    let (mut client, mut server) = net.connect(address)?;
    let (mut other, mut peer) = net.connect(address)?;
    let port = client.local_addr()?.port().to_string();
    let (file, most) = (Scratch::new(), payload.unwrap_or(MESSAGE));
    let mut args = vec!["--port", &port, "--pcap", &file.0];
    let bytes = most.to_string();
    args.extend(payload.iter().flat_map(|_| ["--payload", &bytes]));
    let mut watch = Watch::of("tcp", &args, &[])?;
    watch.next()?;
    for number in 0..31 {
        pass(number, &mut client, &mut server)?;
        pass(100 + number, &mut other, &mut peer)?;
    }
    watch.stop()?;
    lost(&watch)?;
    let kept = Kept::of(&file.0, &[&net])?;
    for number in 0..31 {
        let [sent, received] = kept.sent_and_received(number);
        ensure!([sent, received] == [1, 0], "message {number}: {sent} sent, {received} received");
        carries(kept.with(number, SENT)[0], number, most)?;
    }
    let port = client.local_addr()?.port();
    ensure!(kept.packets.iter().all(|packet| Kept::ports(packet).contains(&port)), "somebody else's");
    // There is a file already.
    let again = stillwatch_tests::stillwatch().args(["tcp", "--pcap", &file.0, "1", "1"]).output()?;
    let complaint = String::from_utf8(again.stderr).context("no text")?;
    ensure!(again.status.code() == Some(2) && complaint.contains("exists already"), "{complaint}");
    Ok(())
}
