//! What we cost: our process, and our programs inside the kernel.

use std::{fs, thread, time::Duration};

use aya::{Ebpf, programs::Program, sys::Stats};

/// Cumulative use of resources.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time of our process, from `getrusage`.
    pub process: Duration,
    /// Time inside our programs; `None` where it could not be calibrated.
    pub programs: Option<Duration>,
    pub rss_bytes: u64,
}

/// Nanoseconds per run of each program, by its name.
#[derive(Clone, Debug, Default)]
pub struct RunCost(Vec<(String, f64)>);

impl RunCost {
    /// Measures in a window of a few milliseconds, with a load of our own so that every program runs on an idle host too.
    /// Not longer: while the kernel measures, it adds two clock reads to every BPF program on the host.
    pub fn calibrate(ebpf: &Ebpf) -> Option<Self> {
        let before = read(ebpf)?;
        let window = aya::sys::enable_stats(Stats::RunTime).ok()?;
        for round in 0..2_000 {
            // SAFETY: no arguments, no effect.
            unsafe { libc::syscall(libc::SYS_getppid) };
            if round % 100 == 0 {
                thread::sleep(Duration::from_micros(20));
            }
        }
        drop(window);
        let costs = before
            .into_iter()
            .zip(read(ebpf)?)
            .filter_map(|((name, time, runs), (_, later, more))| {
                let runs = more.checked_sub(runs).filter(|&runs| runs > 0)?;
                Some((name, later.saturating_sub(time).as_nanos() as f64 / runs as f64))
            })
            .collect();
        Some(Self(costs))
    }

    /// Nanoseconds per run; 0 for a program that is not loaded.
    pub fn of(&self, program: &str) -> f64 {
        self.0.iter().find(|(name, _)| name == program).map_or(0.0, |&(_, ns)| ns)
    }
}

/// (name, run time, runs) of every loaded program.
fn read(ebpf: &Ebpf) -> Option<Vec<(String, Duration, u64)>> {
    ebpf.programs()
        .filter_map(|(name, program)| match program {
            Program::BtfTracePoint(program) => Some((name, program.info().ok()?)),
            _ => None,
        })
        .map(|(name, info)| Some((name.to_owned(), info.run_time(), info.run_count())))
        .collect()
}

/// Events that the kernel did not hand to a program because it was already running on that processor
/// (`recursion_misses`, 5.12; 0 before).
pub fn recursion_misses(ebpf: &Ebpf) -> u64 {
    ebpf.programs()
        .filter_map(|(_, program)| match program {
            Program::BtfTracePoint(program) => program.fd().ok(),
            _ => None,
        })
        .filter_map(|fd| {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(fd));
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            info.lines().find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse::<u64>().ok())
        })
        .sum()
}

/// Time of our process so far, user and system.
pub fn process_time() -> Duration {
    // SAFETY: all zeros are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Resident memory of our process, from `/proc/self/statm`.
pub fn rss_bytes() -> u64 {
    let pages = || fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    pages().unwrap_or(0) * page_bytes()
}

fn page_bytes() -> u64 {
    // SAFETY: no precondition.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

/// Gives freed memory back to the kernel: reading kernel types takes some 40 MiB for a moment.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition.
    unsafe {
        libc::malloc_trim(0);
    }
}
