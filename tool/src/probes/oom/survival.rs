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
    missing
}

/// All that is mapped now and later, the program itself included.
fn lock() -> io::Result<()> {
    // SAFETY: no precondition.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
