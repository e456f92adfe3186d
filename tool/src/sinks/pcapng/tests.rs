use std::time::Duration;

use jiff::SignedDuration;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::{backlog::sorted, *};
use crate::{
    sinks::tcp::{live, tests},
    snapshot::{
        Snapshot,
        tcp::{Dropped, End, Events, Owners, Tcp},
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
    pcapng
        .backlog
        .packets([packet(first.at, [ends[1], ends[0]], Direction::Received), packet(before, ends, Direction::Sent)]);
    pcapng.backlog.events(&Events { retransmits: vec![first.clone()], ..Events::default() });
    // Whoever it was is not forgotten because an event later does not know.
    let mut later = first.clone();
    (later.at, later.owners) = (first.at + SignedDuration::from_secs(1), Owners::default());
    pcapng.backlog.events(&Events { retransmits: vec![later], ..Events::default() });
    let text = "nf_conntrack: \x1btable full".to_owned();
    pcapng.backlog.lines([JournalLine { at: first.at, severity: Severity::Error, by: "kernel".to_owned(), text }]);
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
        pcapng.backlog.packets(kept.to_vec());
        pcapng.backlog.events(events);
        pcapng.finish().unwrap();
        dropped_in(&pcapng.out.into_inner())
    };
    let events = Events { drops: vec![dropped.clone()], ..Events::default() };
    assert_eq!(comments(&kept, &events), [false, true, false, false]);
    // It is told an interval later than the packet, whose owner is known.
    let mut pcapng = Pcapng::new(Vec::new()).unwrap();
    pcapng.backlog.owners.insert(sorted(ends), "front 430".to_owned());
    let written = |pcapng: &Pcapng<Vec<u8>>| String::from_utf8_lossy(pcapng.out.get_ref()).into_owned();
    pcapng.backlog.packets(kept[..2].to_vec());
    pcapng.close_interval().unwrap();
    assert!(!written(&pcapng).contains("front 430"));
    pcapng.backlog.events(&events);
    pcapng.close_interval().unwrap();
    let text = written(&pcapng);
    assert!(text.contains("front 430") && text.contains("dropped: netfilter drop in nf_hook_slow"), "{text}");
    assert!(!text.contains("MESSAGE=drop "));
    pcapng.close_interval().unwrap();
    assert!(written(&pcapng).contains("MESSAGE=drop "));
    // One was received in time, and is read after the drop was told.
    let mut pcapng = Pcapng::new(Vec::new()).unwrap();
    pcapng.backlog.packets(kept[..1].to_vec());
    pcapng.backlog.events(&events);
    pcapng.close_interval().unwrap();
    pcapng.backlog.packets(kept[1..].to_vec());
    pcapng.finish().unwrap();
    assert_eq!(dropped_in(&pcapng.out.into_inner()), [false, true, false, false]);
    // One that was sent is read after it was received, and written.
    let mut pcapng = Pcapng::new(Vec::new()).unwrap();
    pcapng.backlog.owners.insert(sorted(ends), "front 430".to_owned());
    pcapng.backlog.packets(kept[1..2].to_vec());
    pcapng.backlog.events(&events);
    (0..2).for_each(|_| pcapng.close_interval().unwrap());
    pcapng.backlog.packets(kept[..1].to_vec());
    pcapng.finish().unwrap();
    assert_eq!(dropped_in(&pcapng.out.into_inner()), [true, false]);
    let other = Dropped { sequence: dropped.sequence + 1, ..dropped };
    assert_eq!(comments(&kept, &Events { drops: vec![other], ..Events::default() }), [false; 4]);
}
