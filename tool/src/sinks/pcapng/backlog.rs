//! What waits to be written: whose a packet is, and why the kernel dropped it, may be told an interval later than the packet.

use std::{collections::HashMap, mem::take};

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{
        format::UNKNOWN,
        tcp::{drops, live},
        who::NOBODY,
    },
    JournalLine,
};
use crate::snapshot::{
    log::Severity,
    tcp::{Dropped, End, Events, Packet},
};

/// Connections whose owners are remembered.
const OWNERS: usize = 4096;
/// Intervals that a packet waits for its owner.
const LATE: u32 = 2;
/// From where a packet was seen last until it was dropped, in a queue at the most; and what two clocks may differ by.
const UNTIL_DROPPED: SignedDuration = SignedDuration::from_secs(1);
const CLOCKS: SignedDuration = SignedDuration::from_micros(100);

#[derive(Default)]
pub struct Backlog {
    /// Who has a connection, by its ends.
    pub(super) owners: HashMap<[End; 2], String>,
    packets: Vec<Unwritten>,
    drops: Vec<Placed>,
    /// With the intervals that have ended meanwhile.
    lines: Vec<(JournalLine, u32)>,
}

/// What waits no longer.
pub enum Ready {
    Packet(Packet, About),
    Line(JournalLine),
}

/// What is known of a packet beside what it is.
pub struct About {
    pub owner: Option<String>,
    pub dropped: Option<String>,
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

impl Backlog {
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

    /// At the end of an interval: what had come when the last one ended, in order.
    pub fn due(&mut self) -> Vec<Ready> {
        self.after(LATE)
    }

    /// All that is left, in order.
    pub fn rest(&mut self) -> Vec<Ready> {
        self.after(0)
    }

    /// Packets that have waited for an interval and have an owner, and those that have waited for so many.
    fn after(&mut self, late: u32) -> Vec<Ready> {
        self.find_dropped();
        let mut ready = Vec::new();
        for held in take(&mut self.packets) {
            let owner = self.owners.get(&sorted([held.packet.from, held.packet.to]));
            if held.intervals >= late || held.intervals > 0 && owner.is_some() {
                ready.push(Ready::Packet(held.packet, About { owner: owner.cloned(), dropped: held.dropped }));
            } else {
                self.packets.push(Unwritten { intervals: held.intervals + 1, ..held });
            }
        }
        for (line, intervals) in take(&mut self.lines) {
            if intervals >= late.min(1) {
                ready.push(Ready::Line(line));
            } else {
                self.lines.push((line, intervals + 1));
            }
        }
        // Of one time, the packet comes first.
        ready.sort_by_key(|one| match one {
            Ready::Packet(packet, _) => packet.at,
            Ready::Line(line) => line.at,
        });
        ready
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
}

/// Of a packet that begins with its network header.
fn sequence(bytes: &[u8]) -> Option<u32> {
    let first = bytes.first()?;
    let at = 4 + if first >> 4 == 4 { usize::from(first & 0xf) * 4 } else { 40 };
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub fn sorted(mut ends: [End; 2]) -> [End; 2] {
    ends.sort_unstable();
    ends
}
