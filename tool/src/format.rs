//! Numbers as a reader takes them in at a glance: at most five columns, never more digits than were measured.
//!
//! A value that is not zero never prints as zero.

use std::time::Duration;

use crate::{
    escape::{escape, fit},
    snapshot::{
        Who,
        changes::{Change, ChangeKind},
        finding::Value,
    },
};

/// What stands in a cell whose value is not known.
pub const UNKNOWN: &str = "–";

/// Units of time with the value from which the next one reads better.
const TIME: [(&str, f64, f64); 7] = [
    ("ns", 1.0, 1e3),
    ("us", 1e3, 1e3),
    ("ms", 1e6, 1e3),
    ("s", 1e9, 600.0),
    ("m", 60e9, 120.0),
    ("h", 3600e9, 48.0),
    ("d", 86_400e9, f64::INFINITY),
];
const COUNT: [(&str, f64, f64); 5] =
    [("", 1.0, 1e3), ("k", 1e3, 1e3), ("M", 1e6, 1e3), ("G", 1e9, 1e3), ("T", 1e12, f64::INFINITY)];
const BYTES: [(&str, f64, f64); 4] = [
    (" B", 1.0, 1024.0),
    (" KiB", 1024.0, 1024.0),
    (" MiB", 1_048_576.0, 1024.0),
    (" GiB", 1_073_741_824.0, f64::INFINITY),
];

/// `310us`, `9ms`, `1.2s`: two digits, which is what a bucket's width leaves certain.
pub fn duration(ns: u64) -> String {
    scaled(ns as f64, &TIME, 2)
}

/// `1.06us`: three digits, to tell the bounds of neighbouring buckets apart.
pub fn bound(ns: u64) -> String {
    scaled(ns as f64, &TIME, 3)
}

/// `842`, `12.3k`.
pub fn count(count: u64) -> String {
    if count < 1000 { count.to_string() } else { scaled(count as f64, &COUNT, 3) }
}

/// `1 call has`, `12.3k calls have`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", self::count(count), if count == 1 { one } else { many })
}

/// Events per second over a measured interval.
pub fn rate(count: u64, interval: Duration) -> String {
    each_second(count as f64, interval)
}

/// MiB per second.
pub fn mebibytes_rate(bytes: u64, interval: Duration) -> String {
    each_second(bytes as f64 / 1_048_576.0, interval)
}

fn each_second(value: f64, interval: Duration) -> String {
    rate_of(per_second(value, interval))
}

/// Events per second.
pub fn rate_of(rate: f64) -> String {
    match rate {
        0.0 => "0".into(),
        rate if rate < 0.1 => "<0.1".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 999.5 => format!("{rate:.0}"),
        rate => scaled(rate, &COUNT, 3),
    }
}

/// Time spent per second: `1.2s` is more than one thread all the time.
pub fn time_rate(ns: u64, interval: Duration) -> String {
    let rate = per_second(ns as f64, interval);
    if ns > 0 && rate < 1.0 { "<1ns".into() } else { duration(rate as u64) }
}

/// `9 MiB`.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, &BYTES, 2)
}

/// `12%`; below a half, `<1%`.
pub fn percent(percent: f64) -> String {
    if percent > 0.0 && percent < 0.5 { "<1%".into() } else { format!("{percent:.0}%") }
}

/// `0.21%`, for shares that had better be small.
pub fn fine_percent(percent: f64) -> String {
    match percent {
        p if p > 0.0 && p < 0.005 => "<0.01%".into(),
        p if p < 10.0 => format!("{p:.2}%"),
        p => format!("{p:.0}%"),
    }
}

/// Length of an interval: `1.0s`, `250ms`.
pub fn interval(interval: Duration) -> String {
    match interval.as_secs_f64() {
        s if s < 0.9995 => format!("{:.0}ms", s * 1e3),
        s => format!("{s:.1}s"),
    }
}

fn per_second(value: f64, interval: Duration) -> f64 {
    // An interval is never empty, but a division by zero would print as `inf`.
    value / interval.as_secs_f64().max(1e-9)
}

/// `value` in the largest unit that it fills, with so many digits, and no zeros behind the point.
fn scaled(value: f64, units: &[(&str, f64, f64)], digits: i32) -> String {
    for (unit, size, limit) in units {
        let value = value / size;
        // Rounding may carry into the next unit, so it comes before the comparison.
        let before_point = value.max(1.0).log10().floor() as i32 + 1;
        let scale = 10f64.powi((digits - before_point).max(0));
        let rounded = (value * scale).round() / scale;
        if rounded < *limit {
            return format!("{rounded}{unit}");
        }
    }
    String::new()
}

/// Of a finding's evidence, in its unit.
pub fn value(value: Value) -> String {
    match value {
        Value::Nanoseconds(ns) => duration(ns),
        Value::NanosecondsPerSecond(ns) => format!("{}/s", duration(ns)),
        Value::Count(number) => count(number),
        Value::PerSecond(rate) => format!("{}/s", rate_of(rate)),
        Value::Percent(share) => percent(share),
        Value::Bytes(size) => bytes(size),
    }
}

/// `rsync 812`; `rsync 812 (backup.service)` if the cgroup says more than the name.
pub fn name(who: &Who) -> String {
    match (&who.comm, who.pid) {
        (Some(comm), Some(pid)) => format!("{} {pid}", escape(comm)),
        (Some(comm), None) => escape(comm).into_owned(),
        (None, Some(pid)) => format!("process {pid}"),
        (None, None) => match &who.unknown {
            Some(why) => format!("unknown ({why})"),
            None => "unknown".to_owned(),
        },
    }
}

/// Columns of a name that may be long.
const NAME: usize = 60;

/// `package nginx:amd64 upgraded: 1.22.1 → 1.22.2, by apt-get upgrade`
pub fn change(row: &Change) -> String {
    let said = format!("{} {} {}", row.kind.name(), fit(&row.what, NAME), row.did.name());
    match detail(row) {
        detail if detail.is_empty() => said,
        detail => format!("{said}: {detail}"),
    }
}

/// What was and is, who did it, and whom it is about.
pub fn detail(row: &Change) -> String {
    let short = |value: &Option<String>| value.as_deref().map(|value| fit(value, NAME));
    let values = match (short(&row.from), short(&row.to)) {
        (Some(from), Some(to)) => Some(format!("{from} → {to}")),
        // The host that somebody came from.
        (Some(from), None) if row.kind == ChangeKind::Login => Some(format!("from {from}")),
        (Some(from), None) => Some(format!("was {from}")),
        (None, to) => to,
    };
    let author = row.author.value().map(|author| format!("by {}", fit(author, NAME)));
    let process = row.who.as_ref().filter(|who| who.pid.is_some()).map(name);
    [values, author, process].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            (0, "0ns"),
            (7, "7ns"),
            (999, "999ns"),
            (1000, "1us"),
            (1449, "1.4us"),
            (9_949, "9.9us"),
            (9_999, "10us"),
            (310_400, "310us"),
            (999_600, "1ms"),
            (9_000_000, "9ms"),
            (1_240_000_000, "1.2s"),
            (95_000_000_000, "95s"),
            (3_600_000_000_000, "60m"),
            (9_000_000_000_000, "2.5h"),
            (u64::MAX, "213504d"),
        ];
        for (ns, text) in table {
            assert_eq!(duration(ns), text);
        }
        assert_eq!((bound(1_060), bound(1_124_999)), ("1.06us".into(), "1.12ms".into()));
    }

    #[test]
    fn counts_and_rates() {
        let table = [(0, "0"), (999, "999"), (1_000, "1k"), (12_345, "12.3k"), (999_999, "1M"), (1_234_567, "1.23M")];
        for (n, text) in table {
            assert_eq!(count(n), text);
        }
        let over = |n, ms| rate(n, Duration::from_millis(ms));
        assert_eq!((over(0, 1000), over(1, 60_000), over(1, 5000)), ("0".into(), "<0.1".into(), "0.2".into()));
        assert_eq!((over(42, 1000), over(9996, 10_000), over(12_345, 500)), ("42".into(), "1k".into(), "24.7k".into()));
        assert_eq!(over(1, 0), "1G");
        let mebibytes = |bytes| mebibytes_rate(bytes, Duration::from_secs(2));
        assert_eq!((mebibytes(0), mebibytes(1), mebibytes(9 << 20)), ("0".into(), "<0.1".into(), "4.5".into()));
        assert_eq!((mebibytes(376 << 20), mebibytes(9 << 40)), ("188".into(), "4.72M".into()));
        assert_eq!((plural(1, "is", "are"), plural(1_200, "is", "are")), ("1 is".into(), "1.2k are".into()));
        assert_eq!(time_rate(2_400_000_000, Duration::from_secs(2)), "1.2s");
        assert_eq!(time_rate(1, Duration::from_secs(2)), "<1ns");
    }

    #[test]
    fn the_rest() {
        assert_eq!((bytes(0), bytes(9 << 20), bytes(1_500_000)), ("0 B".into(), "9 MiB".into(), "1.4 MiB".into()));
        assert_eq!((percent(0.0), percent(0.1), percent(61.4)), ("0%".into(), "<1%".into(), "61%".into()));
        assert_eq!(
            (fine_percent(0.0), fine_percent(0.001), fine_percent(0.214), fine_percent(12.0)),
            ("0.00%".into(), "<0.01%".into(), "0.21%".into(), "12%".into())
        );
        let of = |ms| interval(Duration::from_millis(ms));
        assert_eq!(
            (of(250), of(1000), of(1049), of(60_000)),
            ("250ms".into(), "1.0s".into(), "1.0s".into(), "60.0s".into())
        );
    }
}
