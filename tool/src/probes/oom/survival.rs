//! Living through what we watch: a host without memory takes pages away from everybody, and kills.

use std::{fs, io};

/// Among the last to be chosen, and not beyond reach: a tool that has a leak must not outlive the host.
const SCORE: &str = "-900";

/// Done when everything is set up and memory is as it will stay. What could not be done, in words.
pub fn protect() -> Vec<String> {
    let mut missing = Vec::new();
    if let Err(error) = lock() {
        missing.push(format!(
            "our memory is not locked, so that we may be slow when there is none left: {error} (CAP_IPC_LOCK)"
        ));
    }
    if let Err(error) = lower_score() {
        missing.push(format!("we may be killed for want of memory like others: {error} (CAP_SYS_RESOURCE)"));
    }
    if let Err(error) = come_first() {
        missing
            .push(format!("we wait for our turn like others when all of them look for memory: {error} (CAP_SYS_NICE)"));
    }
    missing
}

/// Tasks that look for memory take all of the CPUs' time; we take a thousandth.
fn come_first() -> io::Result<()> {
    const NICE: libc::c_int = -10;
    // SAFETY: no precondition.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What is in use of our memory, and what comes into use later. The program and its libraries wholly, so that none of it has to be
/// read from a disk when there is no memory for that; not the holes that reading kernel types has left in the heap.
fn lock() -> io::Result<()> {
    // SAFETY: no precondition.
    if unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for (from, to) in files(&fs::read_to_string("/proc/self/maps")?) {
        // SAFETY: a mapping of our own, of which nothing changes but that it is there.
        if unsafe { libc::mlock(from as *const _, to - from) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Where files are mapped that can be read: `55d0-55e0 r-xp 00001000 fe:00 42  /usr/bin/stillwatch`.
fn files(maps: &str) -> impl Iterator<Item = (usize, usize)> {
    maps.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let readable = words.next()?.starts_with('r');
        let of_file = words.nth(3)?.starts_with('/');
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        (readable && of_file).then_some((number(from)?, number(to)?))
    })
}

fn lower_score() -> io::Result<()> {
    const PATH: &str = "/proc/self/oom_score_adj";
    let score = |text: &str| text.trim().parse::<i32>().ok();
    // Whoever started us may have protected us better.
    let now = fs::read_to_string(PATH)?;
    if score(&now) <= score(SCORE) {
        return Ok(());
    }
    fs::write(PATH, SCORE)
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_among_the_mappings() {
        let maps = "1000-3000 r-xp 00001000 fe:00 42    /usr/bin/x\n3000-4000 ---p 0 fe:00 42 /usr/bin/x\n\
            5000-6000 rw-p 00000000 00:00 0    [heap]\n7000-8000 rw-p 00000000 00:00 0 \n";
        assert_eq!(super::files(maps).collect::<Vec<_>>(), [(0x1000, 0x3000)]);
    }
}
