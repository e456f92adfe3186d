//! The latencies of an interval, as buckets and as quantiles.

use serde::{Deserialize, Serialize};

use hdrhistogram::Histogram;
use stillwatch_common::hist;

/// A distribution of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// (bucket of [`hist`], count), ascending, without empty buckets.
    buckets: Vec<(u32, u64)>,
    pub count: u64,
    pub total_ns: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    /// Exact if this interval holds the longest since start, else the upper end of the highest bucket: never below
    /// the truth and at most 1/16 above it.
    pub max_ns: u64,
}

/// What a distribution says beside its buckets.
pub struct LatencyPart {
    pub name: &'static str,
    pub meaning: &'static str,
    pub of: fn(&Latency) -> u64,
}

impl Latency {
    /// In the order in which they are shown.
    pub const PARTS: [LatencyPart; 6] = [
        LatencyPart { name: "p50_ns", meaning: "Half are no longer.", of: |it| it.p50_ns },
        LatencyPart { name: "p90_ns", meaning: "Nine of ten are no longer.", of: |it| it.p90_ns },
        LatencyPart { name: "p99_ns", meaning: "99 of 100 are no longer.", of: |it| it.p99_ns },
        LatencyPart { name: "p999_ns", meaning: "999 of 1000 are no longer.", of: |it| it.p999_ns },
        LatencyPart { name: "max_ns", meaning: "The longest.", of: |it| it.max_ns },
        LatencyPart { name: "total_ns", meaning: "All together.", of: |it| it.total_ns },
    ];

    /// From counts per bucket (ascending, none 0) and the longest latency ever seen for this row, which bounds this
    /// interval's.
    pub fn new(buckets: Vec<(u32, u64)>, total_ns: u64, longest_ns: u64) -> Self {
        // Ranks are looked up among bucket numbers, not nanoseconds: three digits hold all of those exactly, so that
        // no second rounding is added to the kernel's.
        let Ok(mut ranks) = Histogram::<u64>::new_with_max(hist::BUCKETS as u64, 3) else { return Self::default() };
        for &(bucket, count) in &buckets {
            ranks.saturating_record_n(u64::from(bucket), count);
        }
        let Some(&(highest, _)) = buckets.last() else { return Self::default() };
        // None is longer than all of them together.
        let most_ns = longest_ns.min(total_ns);
        let end = |bucket| hist::upto(bucket).min(most_ns).max(hist::from(bucket));
        let at = |quantile| {
            let bucket = ranks.value_at_quantile(quantile) as u32;
            hist::from(bucket).midpoint(end(bucket))
        };
        Self {
            count: ranks.len(),
            total_ns,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: end(highest),
            buckets,
        }
    }

    /// (smallest nanosecond of the bucket, count), ascending, without empty buckets.
    pub fn histogram(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets.iter().map(|&(bucket, count)| (hist::from(bucket), count))
    }

    pub fn buckets(&self) -> &[(u32, u64)] {
        &self.buckets
    }

    /// Both distributions in one.
    pub fn merge<'a>(latencies: impl IntoIterator<Item = &'a Latency>) -> Latency {
        let (mut counts, mut total_ns, mut longest_ns) = (std::collections::BTreeMap::new(), 0, 0);
        for latency in latencies {
            total_ns += latency.total_ns;
            longest_ns = latency.max_ns.max(longest_ns);
            for &(bucket, count) in &latency.buckets {
                *counts.entry(bucket).or_insert(0) += count;
            }
        }
        Latency::new(counts.into_iter().collect(), total_ns, longest_ns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel side would have counted for these latencies.
    fn counted(values: &[u64]) -> Latency {
        let mut counts = std::collections::BTreeMap::new();
        for &value in values {
            *counts.entry(hist::bucket(value)).or_insert(0) += 1;
        }
        let longest = values.iter().copied().max().unwrap_or(0);
        Latency::new(counts.into_iter().collect(), values.iter().sum(), longest)
    }

    /// The smallest value that at least this share of all values does not exceed.
    fn exact(sorted: &[u64], quantile: f64) -> u64 {
        let rank = (quantile * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    proptest! {
        #[test]
        fn quantiles_lie_in_the_bucket_of_the_exact_ones(mut values in prop::collection::vec(
            (0u32..34, any::<u64>()).prop_map(|(bits, low)| low >> (30 + bits)), 1..400)) {
            let latency = counted(&values);
            values.sort_unstable();
            prop_assert_eq!(latency.count, values.len() as u64);
            for (quantile, measured) in
                [(0.5, latency.p50_ns), (0.9, latency.p90_ns), (0.99, latency.p99_ns), (0.999, latency.p999_ns)]
            {
                let exact = exact(&values, quantile);
                prop_assert_eq!(hist::bucket(exact), hist::bucket(measured), "{} of {:?}", quantile, values);
                prop_assert!(measured.abs_diff(exact) as f64 <= exact as f64 / 16.0);
            }
            prop_assert_eq!(latency.max_ns, *values.last().unwrap());
        }

        #[test]
        fn a_maximum_is_never_below_the_truth(values in prop::collection::vec(1u64..1 << 38, 1..50), earlier in any::<u32>()) {
            let own = *values.iter().max().unwrap();
            let mut latency = counted(&values);
            latency = Latency::new(latency.buckets, latency.total_ns, own.max(earlier.into()));
            prop_assert!(latency.max_ns >= own && (latency.max_ns - own) as f64 <= own as f64 / 16.0);
        }

        #[test]
        fn merging_equals_counting_together(a in prop::collection::vec(any::<u32>(), 0..50), b in prop::collection::vec(any::<u32>(), 0..50)) {
            let [a, b] = [a, b].map(|values| values.into_iter().map(u64::from).collect::<Vec<_>>());
            let merged = Latency::merge([&counted(&a), &counted(&b)]);
            prop_assert_eq!(merged, counted(&[a, b].concat()));
        }
    }

    #[test]
    fn nothing_counted_is_all_zero() {
        assert_eq!(counted(&[]), Latency::default());
    }
}
