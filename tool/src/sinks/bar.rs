//! Distributions inside a line of text, over one fixed range of latencies, so that pictures can be compared.

use stillwatch_common::hist;

use crate::snapshot::Latency;

/// The range is eight powers of ten, from 100 ns to 10 s.
const DECADES: usize = 8;
const SHORTEST_NS: f64 = 100.0;

const UPRIGHT: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const LYING: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Counts in `columns` columns of equal width on a log scale. What is shorter than the range is in the first; what is
/// longer is in the last, which is one more.
pub fn columns(latency: &Latency, columns: usize) -> Vec<u64> {
    let mut counts = vec![0; columns + 1];
    for &(bucket, count) in latency.buckets() {
        let middle = hist::from(bucket).midpoint(hist::upto(bucket)) as f64;
        let place = (middle / SHORTEST_NS).log10() * columns as f64 / DECADES as f64;
        // A cast from a negative float gives 0.
        counts[(place as usize).min(columns)] += count;
    }
    counts
}

/// Where a column of [`columns`] begins.
pub fn begin_ns(column: usize, columns: usize) -> u64 {
    (SHORTEST_NS * 10_f64.powf((column * DECADES) as f64 / columns.max(1) as f64)) as u64
}

/// Heading of [`spark`].
pub fn spark_head(narrow: bool) -> &'static str {
    if narrow { "100ns 10s" } else { "100ns LATENCY 10s" }
}

/// One character per half decade (narrow: per decade). Height is the share of the fullest one; one call alone is
/// still seen.
pub fn spark(latency: &Latency, narrow: bool) -> String {
    let counts = columns(latency, if narrow { DECADES } else { 2 * DECADES });
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.iter().map(|&count| UPRIGHT[eighths(count, most, 1)]).collect()
}

/// Values over time in `width` characters: the height of each is its greatest value, of `most`. A dot: not measured.
pub fn line(values: &[Option<f64>], most: f64, width: usize) -> String {
    let width = width.min(values.len());
    let column = |at: usize| {
        let part = &values[at * values.len() / width..(at + 1) * values.len() / width];
        let greatest = part
            .iter()
            .flatten()
            .copied()
            .fold(None, |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value))));
        match greatest {
            None => '·',
            Some(value) if most <= 0.0 || value <= 0.0 => UPRIGHT[0],
            Some(value) => UPRIGHT[((value / most * 8.0).ceil() as usize).clamp(1, 8)],
        }
    };
    (0..width).map(column).collect()
}

/// A lying bar of up to `width` characters, in eighths of one.
pub fn bar(count: u64, most: u64, width: usize) -> String {
    let eighths = eighths(count, most.max(1), width);
    let mut text = "█".repeat(eighths / 8);
    text.extend((eighths % 8).checked_sub(1).map(|rest| LYING[rest]));
    text
}

/// Rounded up, so that only zero is nothing.
fn eighths(count: u64, most: u64, width: usize) -> usize {
    (u128::from(count) * 8 * width as u128).div_ceil(u128::from(most)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(of: &[(u64, u64)]) -> Latency {
        Latency::new(of.iter().map(|&(ns, count)| (hist::bucket(ns), count)).collect(), 0, u64::MAX)
    }

    #[test]
    fn the_range_is_fixed_and_its_ends_are_open() {
        let of = |ns| spark(&latency(&[(ns, 1)]), false).chars().position(|c| c == '█');
        assert_eq!((of(1), of(110), of(340), of(1_100)), (Some(0), Some(0), Some(1), Some(2)));
        assert_eq!((of(9_000_000_000), of(11_000_000_000), of(u64::MAX)), (Some(15), Some(16), Some(16)));
        assert_eq!((begin_ns(0, 16), begin_ns(2, 16), begin_ns(16, 16)), (100, 1_000, 10_000_000_000));
        for narrow in [false, true] {
            assert_eq!(spark_head(narrow).chars().count(), spark(&latency(&[]), narrow).chars().count());
        }
    }

    #[test]
    fn one_call_among_many_is_seen() {
        let text = spark(&latency(&[(1_500, 1_000_000), (50_000, 500_000), (2_000_000_000, 1)]), false);
        assert_eq!(text, "  █  ▄        ▁  ");
    }

    #[test]
    fn values_over_time() {
        let values = [None, Some(0.0), Some(1.0), Some(4.0), Some(8.0), Some(2.0)];
        assert_eq!(line(&values, 8.0, 6), "· ▁▄█▂");
        assert_eq!(line(&values, 8.0, 3), " ▄█");
        assert_eq!((line(&[], 8.0, 6), line(&[Some(0.0)], 0.0, 6)), (String::new(), " ".into()));
    }

    #[test]
    fn bars() {
        assert_eq!((bar(0, 9, 4), bar(1, 1_000_000, 4)), (String::new(), "▏".into()));
        assert_eq!((bar(9, 9, 4), bar(3, 8, 2)), ("████".into(), "▊".into()));
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
    }
}
