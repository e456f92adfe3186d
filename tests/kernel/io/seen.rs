//! What `stillwatch io` printed, added up.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{
    super::stillwatch::{Watch, add_buckets, is_count, losses, median_bucket, missed},
    work::BLOCK,
};

/// It is attached when this returns.
pub fn watch(flags: &[&str]) -> Result<Watch> {
    if flags.is_empty() { Watch::shared("io") } else { Watch::of("io", flags, &[]) }
}

/// One that begins now: for what is older than a run, and for what it says at its end.
pub fn fresh() -> Result<Watch> {
    Watch::of("io", &[], &[])
}

/// All that a run printed.
pub struct Seen {
    pub snapshots: Vec<Value>,
    pub events: Vec<Value>,
    /// On its standard error.
    pub complaints: String,
    pub lost: BTreeMap<String, u64>,
}

/// One operation on one device, over a whole run.
#[derive(Debug, Default)]
pub struct Device {
    pub ios: u64,
    pub bytes: u64,
    pub errors: u64,
    pub untimed: u64,
    pub queue: Distribution,
    pub service: Distribution,
    pub total: Distribution,
}

#[derive(Debug, Default)]
pub struct Distribution {
    pub buckets: BTreeMap<u64, u64>,
    pub max_ns: u64,
}

impl Distribution {
    fn add(&mut self, distribution: &Value) {
        add_buckets(&mut self.buckets, &distribution["histogram"]);
        self.max_ns = self.max_ns.max(number(&distribution["max_ns"]));
    }

    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// Start of the bucket that holds the median.
    pub fn p50(&self) -> u64 {
        median_bucket(&self.buckets)
    }
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

impl Seen {
    /// Takes one more snapshot, so that all that was done before lies in a whole interval, and ends the run.
    pub fn until_now(mut watch: Watch) -> Result<Self> {
        watch.next()?;
        let complaints = watch.stop()?;
        let (snapshots, events) = (std::mem::take(&mut watch.snapshots), std::mem::take(&mut watch.events));
        let lost = losses(&snapshots);
        Ok(Self { snapshots, events, complaints, lost })
    }

    /// Rows of a table of all snapshots.
    pub fn table(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.snapshots.iter().flat_map(move |snapshot| snapshot[name].as_array().into_iter().flatten())
    }

    pub fn rows(&self, table: &str, column: &str, value: impl Into<Value>) -> Vec<&Value> {
        let value = value.into();
        self.table(table).filter(|row| row[column] == value).collect()
    }

    pub fn device(&self, device: &str, op: &str) -> Device {
        let mut sum = Device::default();
        for row in self.rows("devices", "device", device).into_iter().filter(|row| row["op"] == op) {
            sum.ios += number(&row["ios"]);
            sum.bytes += number(&row["bytes"]);
            sum.errors += number(&row["errors"]);
            sum.untimed += number(&row["untimed"]);
            sum.queue.add(&row["queue"]);
            sum.service.add(&row["service"]);
            sum.total.add(&row["total"]);
        }
        sum
    }

    /// The same, of a device that did so many requests of one block, all of them timed but those that the kernel did not show.
    pub fn did(&self, device: &str, op: &str, ios: u64) -> Result<Device> {
        let (row, missed) = (self.device(device, op), missed(&self.lost));
        let right = is_count(row.ios, ios, missed) && row.bytes == row.ios * BLOCK && row.untimed <= missed;
        ensure!(right, "{device} did {ios} of {op}: {row:?}, lost {:?}", self.lost);
        Ok(row)
    }

    /// Whether it caused so many requests of one block.
    pub fn has_caused(&self, device: &str, ios: u64, whose: impl Fn(&Value) -> bool) -> Result<()> {
        let [bytes, seen] = self.caused(device, whose);
        let right = is_count(seen, ios, missed(&self.lost)) && bytes == seen * BLOCK;
        ensure!(right, "{seen} of {ios}, {bytes} bytes: {:?}", self.rows("caused_by", "device", device));
        Ok(())
    }

    /// Bytes and requests that a device did for whom this says yes to.
    pub fn caused(&self, device: &str, whose: impl Fn(&Value) -> bool) -> [u64; 2] {
        let mut sum = [0; 2];
        for row in self.rows("caused_by", "device", device).into_iter().filter(|row| whose(row)) {
            sum[0] += number(&row["bytes"]);
            sum[1] += number(&row["ios"]);
        }
        sum
    }
}
