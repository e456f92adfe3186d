//! The `io` probe's part of a line.

mod request;
mod stalled;

use serde::Serialize;

pub use self::request::Request;
use self::stalled::Stalled;
use super::{latency::Distribution, line::ns, who::Who};
use crate::{
    sinks::View,
    snapshot::{Latency, io},
};

pub const NO_REQUEST: &str = "no request was completed";
pub const NO_QUEUE: &str = "the device has no request queue";
pub const NOT_TIMED: &str = "no request has a latency";
pub const DEVICES_ONLY: &str = "not measured: --devices";
const AGE_UNKNOWN: &str = "its start was not seen";

#[derive(Serialize)]
pub struct Io<'a> {
    devices: Vec<Device<'a>>,
    /// Reasons are named of waits that are at least this long.
    stall_over_ns: u64,
    stalled: Option<Vec<Stalled<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled_unknown: Option<&'static str>,
    caused_by: Option<Vec<Cause<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by_unknown: Option<&'static str>,
    /// Absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    blame: Option<Vec<Blame<'a>>>,
}

impl<'a> Io<'a> {
    pub fn of(io: &'a io::Io, view: &View) -> Self {
        Self {
            devices: io.devices.iter().map(Device::of).collect(),
            stall_over_ns: ns(view.stall),
            stalled: io.stalled.as_ref().map(|rows| rows.iter().map(Stalled::of).collect()),
            stalled_unknown: io.stalled.is_none().then_some(DEVICES_ONLY),
            caused_by: io.caused_by.as_ref().map(|rows| rows.iter().map(Cause::of).collect()),
            caused_by_unknown: io.caused_by.is_none().then_some(DEVICES_ONLY),
            blame: io.blame.as_ref().map(|rows| rows.iter().map(Blame::of).collect()),
        }
    }
}

#[derive(Serialize)]
struct Device<'a> {
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    op: &'static str,
    ios: u64,
    bytes: u64,
    errors: u64,
    untimed: u64,
    queue: Option<Distribution<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_unknown: Option<&'static str>,
    service: Option<Distribution<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_unknown: Option<&'static str>,
    total: Option<Distribution<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_unknown: Option<&'static str>,
    in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight_unknown: Option<&'static str>,
    /// Null, too, when nothing is in flight.
    oldest_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_unknown: Option<&'static str>,
    /// Of `in_flight`: handed to the device before we attached.
    #[serde(skip_serializing_if = "is_zero")]
    before_start: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl<'a> Device<'a> {
    fn of(device: &'a io::Device) -> Self {
        let why = |latency: &Latency| {
            (latency.count == 0).then_some(match (device.ios, device.total.count) {
                (0, _) => NO_REQUEST,
                (_, 0) => NOT_TIMED,
                _ => NO_QUEUE,
            })
        };
        let waiting = device.in_flight.is_some_and(|count| count > 0);
        Self {
            device: &device.device,
            alias: device.alias.as_deref(),
            op: device.op.name(),
            ios: device.ios,
            bytes: device.bytes,
            errors: device.errors,
            untimed: device.untimed,
            queue: Distribution::of(&device.queue),
            queue_unknown: why(&device.queue),
            service: Distribution::of(&device.service),
            service_unknown: why(&device.service),
            total: Distribution::of(&device.total),
            total_unknown: why(&device.total),
            in_flight: device.in_flight,
            in_flight_unknown: device.in_flight.is_none().then_some(DEVICES_ONLY),
            oldest_ns: device.oldest_ns,
            oldest_unknown: (waiting && device.oldest_ns.is_none()).then_some(AGE_UNKNOWN),
            before_start: device.before_start,
        }
    }
}

#[derive(Serialize)]
struct Cause<'a> {
    #[serde(flatten)]
    who: Who<'a>,
    device: &'a str,
    bytes: u64,
    ios: u64,
    service_ns: Option<u64>,
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_unknown: Option<&'static str>,
    how: &'static str,
}

impl<'a> Cause<'a> {
    fn of(cause: &'a io::Cause) -> Self {
        let timed = cause.service_ns > 0 || cause.ios == 0;
        Self {
            who: Who::of(&cause.who),
            device: &cause.device,
            bytes: cause.bytes,
            ios: cause.ios,
            service_ns: timed.then_some(cause.service_ns),
            share: timed.then_some(cause.share),
            service_unknown: (!timed).then_some(NOT_TIMED),
            how: cause.how.name(),
        }
    }
}

#[derive(Serialize)]
struct Blame<'a> {
    victim: Who<'a>,
    device: &'a str,
    wait_ns: u64,
    culprit: Who<'a>,
    how: &'static str,
    blamed_ns: u64,
}

impl<'a> Blame<'a> {
    fn of(blame: &'a io::Blame) -> Self {
        Self {
            victim: Who::of(&blame.victim),
            device: &blame.device,
            wait_ns: blame.wait_ns,
            culprit: Who::of(&blame.culprit),
            how: blame.how.name(),
            blamed_ns: blame.blamed_ns,
        }
    }
}

#[cfg(test)]
mod tests;
