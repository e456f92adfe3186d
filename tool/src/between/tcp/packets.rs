//! Packets that were kept.

use super::end;
use crate::{
    sample::{Captured, Moment},
    snapshot::{
        tcp::{Device, Packet},
        who::text,
    },
};

/// `now`: when they were read.
pub fn packets(captured: &[Captured], now: Moment) -> Vec<Packet> {
    captured.iter().map(|one| packet(one, now)).collect()
}

fn packet(Captured { packet, direction, from, to }: &Captured, now: Moment) -> Packet {
    let kept = (packet.kept as usize).min(packet.bytes.len());
    Packet {
        at: now.wall_at(packet.at_ns),
        direction: *direction,
        device: Device { netns: packet.netns, number: packet.device, name: text(&packet.name) },
        from: end(from.0, from.1),
        to: end(to.0, to.1),
        length: packet.length,
        bytes: packet.bytes[..kept].to_vec(),
    }
}
