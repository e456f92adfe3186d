//! Requests that were with their devices before we attached: a disk that hung earlier completes nothing that would tell of them,
//! but the kernel counts them.

use std::{collections::HashMap, fs};

use stillwatch_common::io::Op;

use crate::sample::{BlockDevice, Io};

/// Disks with such requests, and how many at most: reads and others.
pub struct Unseen(HashMap<u32, [u64; 2]>);

impl Unseen {
    /// As the programs are attached.
    pub fn count() -> Self {
        let busy = super::devices::disks().filter_map(|(dev, directory)| {
            let counts = parse(&fs::read_to_string(directory.join("inflight")).ok()?)?;
            Some((dev, counts)).filter(|(_, counts)| *counts != [0; 2])
        });
        Self(busy.collect())
    }

    /// What is left of them. It only ever gets less: what was made since is in our own table, but the two are not read at the
    /// same moment, so that only the least of all differences is believed.
    pub fn update(&mut self, sample: &Io, mut devices: impl FnMut(u32) -> BlockDevice) -> Vec<(u32, [u64; 2])> {
        self.0.retain(|&disk, left| {
            let Some(now) = in_flight(disk) else { return false };
            let mut seen = [0; 2];
            for request in sample.requests.iter().flatten().filter(|request| request.issued_ns != 0) {
                if devices(request.dev).disk == disk {
                    let op = sample.rows.get(request.row as usize).map_or(0, |(key, _)| *key as u8);
                    seen[usize::from(op != Op::Read as u8)] += 1;
                }
            }
            for at in 0..2 {
                left[at] = left[at].min(now[at].saturating_sub(seen[at]));
            }
            *left != [0; 2]
        });
        self.0.iter().map(|(&disk, &left)| (disk, left)).collect()
    }
}

/// Requests that the driver of a disk has now: reads and others.
pub fn in_flight(disk: u32) -> Option<[u64; 2]> {
    parse(&fs::read_to_string(format!("/sys/dev/block/{}:{}/inflight", disk >> 20, disk & 0xf_ffff)).ok()?)
}

/// `reads others`.
fn parse(text: &str) -> Option<[u64; 2]> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?])
}
