//! What the kernel counts of memory anyway.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::snapshot::oom::Memory;

/// Of `/proc/vmstat`; a name that ends in `_` stands for all zones together.
const COUNTERS: &[&str] = &[
    "oom_kill",
    "allocstall_",
    "compact_stall",
    "compact_fail",
    "compact_success",
    "compact_daemon_wake",
    "pageoutrun",
    "pgscan_kswapd",
    "pgscan_direct",
    "pgsteal_kswapd",
    "pgsteal_direct",
    "pswpin",
    "pswpout",
    "workingset_refault_anon",
    "workingset_refault_file",
];

/// Totals since boot. A counter that this kernel does not have is left out.
pub fn counters() -> BTreeMap<&'static str, u64> {
    parse_counters(&fs::read_to_string("/proc/vmstat").unwrap_or_default())
}

fn parse_counters(text: &str) -> BTreeMap<&'static str, u64> {
    let mut found = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        let known =
            COUNTERS.iter().find(|&&known| if known.ends_with('_') { name.starts_with(known) } else { name == known });
        if let (Some(known), Ok(value)) = (known, value.parse::<u64>()) {
            *found.entry(known.trim_end_matches('_')).or_insert(0) += value;
        }
    }
    found
}

pub fn memory() -> Memory {
    parse_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn parse_memory(text: &str) -> Memory {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Memory {
        total: bytes("MemTotal").unwrap_or(0),
        free: bytes("MemFree").unwrap_or(0),
        available: bytes("MemAvailable").unwrap_or(0),
        swap_total: bytes("SwapTotal").unwrap_or(0),
        swap_free: bytes("SwapFree").unwrap_or(0),
    }
}

/// Time since boot in which some task, or all, waited for memory.
pub fn pressure() -> Option<[Duration; 2]> {
    let text = fs::read_to_string("/proc/pressure/memory").ok()?;
    let total = |kind: &str| {
        let line = text.lines().find(|line| line.starts_with(kind))?;
        line.rsplit_once("total=")?.1.trim().parse().ok().map(Duration::from_micros)
    };
    Some([total("some")?, total("full")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_added_up() {
        let found = parse_counters("allocstall_dma 1\nallocstall_normal 2\noom_kill 3\noom_killer 9\nnr_free 7\n");
        assert_eq!(found, BTreeMap::from([("allocstall", 3), ("oom_kill", 3)]));
    }

    #[test]
    fn kibibytes() {
        let memory = parse_memory("MemTotal:       16 kB\nMemFree: 2 kB\nMemAvailable: 3 kB\nSwapTotal: 0 kB\n");
        assert_eq!(memory, Memory { total: 16 << 10, free: 2 << 10, available: 3 << 10, swap_total: 0, swap_free: 0 });
    }
}
