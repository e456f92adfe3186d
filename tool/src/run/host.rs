//! What is read of the host at every tick, whatever probes run.

use std::{fs, time::Duration};

use jiff::Timestamp;

use crate::sample::{Moment, PressureTotals, StallTotals};

/// The programs read `CLOCK_MONOTONIC`, as `bpf_ktime_get_ns`.
pub fn now() -> Moment {
    let clock = read(libc::CLOCK_MONOTONIC);
    Moment { wall: Timestamp::now(), clock, asleep: read(libc::CLOCK_BOOTTIME).saturating_sub(clock) }
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::clock_gettime(clock, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Totals from `/proc/pressure`, or why there are none.
pub fn pressure() -> Result<PressureTotals, String> {
    let read = |resource| {
        let text = fs::read_to_string(format!("/proc/pressure/{resource}")).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "no PSI in this kernel, or off: boot with psi=1".to_owned(),
            // The file is there, but opening or reading it fails while PSI is switched off.
            _ => format!("PSI is off: boot with psi=1 ({error})"),
        })?;
        let total = |kind| {
            let line = text.lines().find(|line| line.starts_with(kind))?;
            line.rsplit_once("total=")?.1.trim().parse().ok()
        };
        let time = |kind| Duration::from_micros(total(kind).unwrap_or(0));
        Ok::<_, String>(StallTotals { some: time("some"), full: time("full") })
    };
    Ok(PressureTotals { cpu: read("cpu")?, io: read("io")?, memory: read("memory")? })
}
