//! What the kernel accounts of CPUs as a whole.

use std::{collections::BTreeMap, fs};

use crate::sample::{HostTimes, ProcessorTimes};

/// Since boot. Lines that this kernel does not have are left out.
pub fn read() -> HostTimes {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let softirqs = fs::read_to_string("/proc/softirqs").unwrap_or_default();
    HostTimes { processors: processors(&stat, tick_ns()), softirqs: rows(&softirqs) }
}

fn tick_ns() -> u64 {
    // SAFETY: no precondition.
    let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100);
    1_000_000_000 / ticks.max(1)
}

/// By number. The first line, without one, is the sum of all.
fn processors(stat: &str, tick_ns: u64) -> BTreeMap<u32, ProcessorTimes> {
    let line = |line: &str| {
        let (name, ticks) = line.split_once(' ')?;
        let number = name.strip_prefix("cpu")?.parse().ok()?;
        let ticks: Vec<u64> = ticks.split_ascii_whitespace().flat_map(str::parse).collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
        let [user, system, idle, irq, softirq, steal] =
            [user + nice, system, idle + iowait, irq, softirq, steal].map(|ticks| ticks * tick_ns);
        Some((number, ProcessorTimes { user, system, idle, irq, softirq, steal }))
    };
    stat.lines().filter_map(line).collect()
}

/// The head names CPUs; the rows have a count for each.
fn rows(text: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let (name, counts) = line.trim_start().split_once(':')?;
        Some((name.to_owned(), counts.split_ascii_whitespace().flat_map(str::parse::<u64>).sum()))
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// Names of those whose handlers are known, by number: the last words of their lines.
pub fn irq_names() -> BTreeMap<u32, String> {
    names(&fs::read_to_string("/proc/interrupts").unwrap_or_default())
}

fn names(text: &str) -> BTreeMap<u32, String> {
    let processors = text.lines().next().unwrap_or_default().split_ascii_whitespace().count();
    let name = |line: &str| {
        let (number, rest) = line.trim_start().split_once(':')?;
        // Counts, the controller, the line there; then who handles it.
        let words: Vec<&str> = rest.split_ascii_whitespace().skip(processors + 2).collect();
        Some((number.parse().ok()?, words.join(" ")))
    };
    text.lines().skip(1).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_by_number() {
        let text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\nctxt 5\n";
        let times = ProcessorTimes { user: 30, system: 30, idle: 90, irq: 60, softirq: 70, steal: 80 };
        assert_eq!(processors(text, 10), BTreeMap::from([(1, times)]));
    }

    #[test]
    fn interrupts_by_number() {
        let text = "   CPU0 CPU1\n  9:  1 2 IO-APIC  9-fasteoi  acpi, i801\nLOC:  1 2 Local timer\n";
        assert_eq!(names(text), BTreeMap::from([(9, "acpi, i801".into())]));
    }

    #[test]
    fn softirqs_by_name() {
        let text = "          CPU0  CPU1\n   TIMER:  5  7\n  NET_RX:  1  2\n";
        assert_eq!(rows(text), BTreeMap::from([("TIMER".into(), 12), ("NET_RX".into(), 3)]));
    }
}
