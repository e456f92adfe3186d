//! What each device did.

use std::collections::HashMap;

use stillwatch_common::io::{NO_ROW, PARTS, Request, Stage};

use super::{super::histograms, Context};
use crate::{
    sample::BlockDevice,
    snapshot::{
        Latency,
        io::{AGE_UNKNOWN, DEVICES_ONLY, Device, Op},
    },
    table::{Known, in_order},
};

impl Context<'_> {
    pub fn devices(&self) -> Vec<Device> {
        let mut histograms = histograms(&self.before.cells, &self.after.cells);
        let mut devices: Vec<Device> =
            (0..self.after.rows.len()).filter_map(|at| self.row(at, &mut histograms)).collect();
        for &(disk, counts) in &self.after.unseen {
            for (op, count) in [Op::Read, Op::Write].into_iter().zip(counts).filter(|&(_, count)| count > 0) {
                self.add_unseen(&mut devices, &self.device(disk), op, count);
            }
        }
        in_order(&mut devices);
        devices
    }

    fn add_unseen(&self, devices: &mut Vec<Device>, disk: &BlockDevice, op: Op, count: u64) {
        let at = devices.iter().position(|row| row.device == disk.name && row.op == op).unwrap_or_else(|| {
            devices.push(Device::idle(disk.name.clone(), disk.name.clone(), disk.alias.clone(), op));
            devices.len() - 1
        });
        let row = &mut devices[at];
        let seen = row.in_flight.value().copied();
        row.in_flight = seen.map_or(count, |seen| seen + count).into();
        (row.before_start, row.oldest_ns) = (count, Known::unknown(AGE_UNKNOWN));
    }

    /// `None` when nothing happened and nothing is in flight.
    fn row(&self, at: usize, histograms: &mut HashMap<u16, Vec<(u32, u64)>>) -> Option<Device> {
        let &(key, after) = self.after.rows.get(at).filter(|&&(key, _)| key != 0 && at != NO_ROW as usize)?;
        let before =
            self.before.rows.get(at).filter(|(earlier, _)| *earlier == key).map(|&(_, row)| row).unwrap_or_default();
        let device = self.device((key >> 8) as u32);
        let ages = self.after.requests.as_ref().map(|requests| {
            // Those that were made after the interval ended belong to the next.
            let is_ours = |request: &&Request| request.row as usize == at && request.queued_ns <= self.now.ns();
            let of_row = requests.iter().filter(is_ours);
            of_row.map(|request| self.now.ns().saturating_sub(request.queued_ns)).collect::<Vec<_>>()
        });
        let ios = after.ios - before.ios;
        if ios == 0 && after.bytes == before.bytes && ages.as_ref().is_none_or(Vec::is_empty) {
            return None;
        }
        let mut latency = |part: Stage| {
            let buckets = histograms.remove(&((at * PARTS + part as usize) as u16)).unwrap_or_default();
            let part = part as usize;
            Latency::new(buckets, after.total_ns[part] - before.total_ns[part], after.max_ns[part])
        };
        let row = Device {
            ios,
            bytes: after.bytes - before.bytes,
            errors: after.errors - before.errors,
            untimed: after.untimed - before.untimed,
            in_flight: ages.as_ref().map_or(Known::not_measured(DEVICES_ONLY), |ages| Known::Value(ages.len() as u64)),
            oldest_ns: ages.map_or(Known::not_measured(DEVICES_ONLY), |ages| ages.into_iter().max().into()),
            ..Device::idle(device.name, self.device(device.disk).name, device.alias, Op::of((key & 0xff) as u32))
        };
        Some(row.timed(latency(Stage::Queue), latency(Stage::Service), latency(Stage::Total)))
    }
}
