//! Distributions.

use serde::{Serialize, Serializer, ser::SerializeSeq};

use crate::snapshot::Latency;

/// `[[from_ns, count], …]`, without empty buckets.
pub fn histogram<S: Serializer>(latency: &&Latency, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(latency.buckets().len()))?;
    for pair in latency.histogram() {
        seq.serialize_element(&pair)?;
    }
    seq.end()
}

/// A distribution that is an object of its own.
#[derive(Serialize)]
pub struct Distribution<'a> {
    p50_ns: u64,
    p90_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    total_ns: u64,
    #[serde(serialize_with = "histogram")]
    histogram: &'a Latency,
}

impl<'a> Distribution<'a> {
    /// `None`: nothing was timed, so there are no quantiles.
    pub fn of(latency: &'a Latency) -> Option<Self> {
        (latency.count > 0).then_some(Self {
            p50_ns: latency.p50_ns,
            p90_ns: latency.p90_ns,
            p99_ns: latency.p99_ns,
            p999_ns: latency.p999_ns,
            max_ns: latency.max_ns,
            total_ns: latency.total_ns,
            histogram: latency,
        })
    }
}
