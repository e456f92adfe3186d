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
        entries(&mut map, self.0)?;
        map.end()
    }
}

/// All of it.
pub fn entries<M: SerializeMap>(map: &mut M, latency: &Latency) -> Result<(), M::Error> {
    for part in &Latency::PARTS {
        map.serialize_entry(part.name, &(part.of)(latency))?;
    }
    map.serialize_entry("histogram", &Buckets(latency))
}

/// The part that is the reason why there are no times.
pub const WHY: &str = "why";

/// Some of it, as (key, part); of one that is not known, `None`. Without a latency there are no times.
pub fn parts<M: SerializeMap>(
    map: &mut M,
    parts: &[(&str, &str)],
    known: Option<&Latency>,
    why: &str,
) -> Result<(), M::Error> {
    let none = Latency::default();
    let latency = known.unwrap_or(&none);
    for &(key, part) in parts {
        match part {
            "count" => map.serialize_entry(key, &known.map(|latency| latency.count))?,
            "sum_ns" => map.serialize_entry(key, &known.map(|latency| latency.total_ns))?,
            "histogram" => map.serialize_entry(key, &Buckets(latency))?,
            WHY if latency.count > 0 || why.is_empty() => {}
            WHY => map.serialize_entry(key, why)?,
            _ => {
                let time = Latency::PARTS.iter().find(|time| time.name == part).map(|time| (time.of)(latency));
                map.serialize_entry(key, &time.filter(|_| latency.count > 0))?;
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
