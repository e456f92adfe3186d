//! What `/proc` says of processes, as far as nobody waits for that.

use std::{fs, time::Duration};

/// Those that there are.
pub fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
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

/// A file that a process has mapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped<'a> {
    pub is_code: bool,
    /// Of its file system, as the kernel numbers devices inside.
    pub dev: u32,
    pub inode: u64,
    pub path: &'a str,
}

/// From a line of `/proc/PID/maps`: `7f0c8e28a000-7f0c8e2b0000 r-xp 00000000 fe:00 1702  /usr/lib/libc.so.6`. None of what is no file.
pub fn mapped(line: &str) -> Option<Mapped<'_>> {
    let mut rest = line;
    let mut words = [""; 5];
    for word in &mut words {
        (*word, rest) = rest.trim_start().split_once(' ')?;
    }
    let [_, rights, _, dev, inode] = words;
    let (major, minor) = dev.split_once(':')?;
    let dev = u32::from_str_radix(major, 16).ok()? << 20 | u32::from_str_radix(minor, 16).ok()?;
    let inode = inode.parse().ok().filter(|&inode| inode > 0)?;
    Some(Mapped { is_code: rights.contains('x'), dev, inode, path: rest.trim_start() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line = "7f0c8e28a000-7f0c8e2b0000 r--p 00000000 fe:10 1702                       /srv/a b (deleted)";
        let expected = Mapped { is_code: false, dev: 0xfe << 20 | 0x10, inode: 1702, path: "/srv/a b (deleted)" };
        assert_eq!(mapped(line), Some(expected));
        assert_eq!(mapped("7ffd0000-7ffd1000 rw-p 00000000 00:00 0                          [stack]"), None);
        assert_eq!(mapped("7ffd0000-7ffd1000 rw-p 00000000 00:00 0 "), None);
        assert_eq!(mapped(""), None);
    }
}
