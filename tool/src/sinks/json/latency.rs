//! Distributions.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use crate::snapshot::Latency;

/// `[[from_ns, count], …]`, without empty buckets.
pub fn histogram<S: Serializer>(latency: &&Latency, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(latency.buckets().len()))?;
    for pair in latency.histogram() {
        seq.serialize_element(&pair)?;
    }
    seq.end()
}

/// A distribution that is an object of its own, or part of one.
pub struct Distribution<'a>(&'a Latency);

impl<'a> Distribution<'a> {
    /// `None`: nothing was timed, so there are no quantiles.
    pub fn of(latency: &'a Latency) -> Option<Self> {
        (latency.count > 0).then_some(Self(latency))
    }
}

impl Serialize for Distribution<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for part in &Latency::PARTS {
            map.serialize_entry(part.name, &(part.of)(self.0))?;
        }
        map.serialize_entry("histogram", &Buckets(self.0))?;
        map.end()
    }
}

/// Some of it, as (key, part). Without a latency there are no times.
pub fn parts<M: SerializeMap>(map: &mut M, parts: &[(&str, &str)], latency: &Latency) -> Result<(), M::Error> {
    for &(key, part) in parts {
        let ns = |name: &str| Latency::PARTS.iter().find(|part| part.name == name).map(|part| (part.of)(latency));
        match part {
            "count" => map.serialize_entry(key, &latency.count)?,
            "histogram" => map.serialize_entry(key, &Buckets(latency))?,
            _ => {
                let us = part.strip_suffix("_us").and_then(|name| ns(&format!("{name}_ns"))).map(|ns| ns / 1000);
                map.serialize_entry(key, &ns(part).or(us).filter(|_| latency.count > 0))?;
            }
        }
    }
    Ok(())
}

struct Buckets<'a>(&'a Latency);

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        histogram(&self.0, serializer)
    }
}
