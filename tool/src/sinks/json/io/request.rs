//! A request over the threshold: an event.

use serde::Serialize;

use super::{
    super::{line::Event, who::Who},
    NO_QUEUE,
};
use crate::snapshot::io;

#[derive(Serialize)]
pub struct Request<'a> {
    device: &'a str,
    op: &'static str,
    sector: u64,
    bytes: u64,
    failed: bool,
    queue_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_unknown: Option<&'static str>,
    service_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_unknown: Option<&'static str>,
    total_ns: u64,
    #[serde(flatten)]
    who: Who<'a>,
    how: &'static str,
}

impl<'a> Request<'a> {
    pub fn event(request: &'a io::Request) -> Event<Self> {
        let what = Self {
            device: &request.device,
            op: request.op.name(),
            sector: request.sector,
            bytes: request.bytes,
            failed: request.failed,
            queue_ns: request.queue_ns,
            queue_unknown: request.queue_ns.is_none().then_some(NO_QUEUE),
            service_ns: request.service_ns,
            service_unknown: request.service_ns.is_none().then_some(NO_QUEUE),
            total_ns: request.total_ns,
            who: Who::of(&request.who),
            how: request.how.name(),
        };
        Event::of("io", "slow_request", request.at, what)
    }
}
