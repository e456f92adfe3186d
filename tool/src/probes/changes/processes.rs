//! What `/proc` says of processes, as far as nobody waits for that.

use std::{fs, time::Duration};

/// Those that there are.
pub fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Since boot, suspended time included.
pub fn started(pid: u32) -> Option<Duration> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let ticks: u64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    // SAFETY: no memory is involved.
    let each_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|&ticks| ticks > 0)?;
    Some(Duration::from_nanos(ticks.checked_mul(1_000_000_000 / each_second)?))
}

/// What the kernel puts behind the path of a file that has no name any more.
pub const DELETED: &str = " (deleted)";
