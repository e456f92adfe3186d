//! What we cost: our process, and our programs inside the kernel.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    mem::zeroed,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{Program, ProgramFd},
    sys::Stats,
};
use aya_obj::generated::bpf_prog_info;

use super::{
    bpf::{OBJ_GET_INFO_BY_FD, bpf},
    capabilities::as_admin,
};

/// Measures how long something that we do takes.
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs of each program, by its name.
pub type Runs = BTreeMap<&'static str, u64>;

/// Runs of a program that say what one costs: as many as there were last. On a quiet host it takes several looks until they are enough.
const REMEMBERED: f64 = 500.0;
/// What a load of our own says counts like so few.
const OF_OURS: f64 = 20.0;
/// Runs of all programs together after which a window need not be longer.
const ENOUGH: u64 = 10_000;

/// What a program was seen to take in so many runs.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    ns: f64,
    runs: f64,
}

impl Seen {
    fn add(&mut self, more: Self) {
        self.forget((REMEMBERED - more.runs).max(0.0));
        self.ns += more.ns;
        self.runs += more.runs;
    }

    /// All but so many runs.
    fn forget(&mut self, but: f64) {
        if self.runs > but {
            *self = Self { ns: self.ns * but / self.runs, runs: but };
        }
    }
}

/// What a run of each program costs, by its name.
#[derive(Clone, Debug, Default)]
pub struct RunCost(HashMap<String, Seen>);

/// A time in which the kernel measures programs. Not longer than it takes: while it does, it adds two clock reads to every BPF program on the
/// host.
pub struct Window {
    /// When it began, and what was known then.
    before: Vec<(String, Duration, u64)>,
    known: RunCost,
    _measuring: OwnedFd,
}

impl Window {
    /// `None` where the kernel won't.
    pub fn open(ebpf: &Ebpf, known: &RunCost) -> Option<Self> {
        let before = read(ebpf)?;
        let measuring = as_admin(|| aya::sys::enable_stats(Stats::RunTime)).ok()?;
        Some(Self { before, known: known.clone(), _measuring: measuring })
    }

    /// Whether programs have run so often that it says what they cost under the load that there is.
    pub fn has_enough(&self, ebpf: &Ebpf) -> bool {
        let runs = |programs: &[(String, Duration, u64)]| programs.iter().map(|(_, _, runs)| runs).sum::<u64>();
        read(ebpf).is_none_or(|now| runs(&now) >= runs(&self.before) + ENOUGH)
    }
}

impl RunCost {
    /// Measures with a load of our own, so that programs on system calls and switches run on an idle host too.
    pub fn calibrate(ebpf: &Ebpf) -> Option<Self> {
        if ebpf.programs().next().is_none() {
            return Some(Self::default());
        }
        let mut cost = Self::default();
        let window = Window::open(ebpf, &cost)?;
        for round in 0..2_000 {
            // SAFETY: no arguments, no effect.
            unsafe { libc::syscall(libc::SYS_getppid) };
            if round % 100 == 0 {
                thread::sleep(Duration::from_micros(20));
            }
        }
        cost.learn(&window, ebpf);
        cost.0.values_mut().for_each(|seen| seen.forget(OF_OURS));
        Some(cost)
    }

    /// What programs take that have run in a window until now, in addition to what was known when it began.
    pub fn learn(&mut self, window: &Window, ebpf: &Ebpf) {
        let Some(after) = read(ebpf) else { return };
        for ((_, time, runs), (name, later, more)) in window.before.iter().zip(after) {
            let runs = more.saturating_sub(*runs);
            if runs > 0 {
                let mut seen = window.known.0.get(&name).copied().unwrap_or_default();
                seen.add(Seen { ns: later.saturating_sub(*time).as_nanos() as f64, runs: runs as f64 });
                self.0.insert(name, seen);
            }
        }
    }

    /// Of no more than one in a hundred of these runs it has not been measured yet what they cost.
    pub fn knows(&self, runs: &Runs) -> bool {
        let guessed: u64 =
            runs.iter().filter(|(program, _)| !self.0.contains_key(**program)).map(|(_, runs)| runs).sum();
        guessed * 100 <= runs.values().sum()
    }

    /// Time of so many runs of each program. Those that have not been measured are priced like the dearest: one that hardly ever runs may
    /// never do so while we measure.
    pub fn of(&self, runs: &Runs) -> BTreeMap<&'static str, Duration> {
        let price = |seen: &Seen| seen.ns / seen.runs;
        let dearest = self.0.values().map(price).fold(0.0, f64::max);
        let time =
            |program, runs| Duration::from_nanos((self.0.get(program).map_or(dearest, price) * runs as f64) as u64);
        runs.iter().map(|(&program, &runs)| (program, time(program, runs))).collect()
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

/// What [`recursion_misses`] are called.
pub const RUNNING: &str = "missed (program busy)";

/// Events that the kernel did not hand to a program because it was already running on that CPU
/// (`recursion_misses`, 5.12; 0 before).
pub fn recursion_misses(ebpf: &Ebpf) -> u64 {
    ebpf.programs()
        .filter_map(|(_, program)| match program {
            Program::BtfTracePoint(program) => program.fd().ok(),
            _ => None,
        })
        .filter_map(|program| Some(info(program)?.recursion_misses))
        .sum()
}

/// The part of `union bpf_attr` that asks what an object is.
#[repr(C)]
struct Asked {
    object: u32,
    info_bytes: u32,
    info: u64,
}

/// What the kernel says of a program; aya's form of it leaves out its misses. Zeros, what older kernels do not say.
fn info(program: &ProgramFd) -> Option<bpf_prog_info> {
    // SAFETY: all zeros are a valid one.
    let mut found: bpf_prog_info = unsafe { zeroed() };
    let mut asked = Asked {
        object: program.as_fd().as_raw_fd() as u32,
        info_bytes: size_of_val(&found) as u32,
        info: &raw mut found as u64,
    };
    // SAFETY: what is asked for has room for so many bytes.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut asked) }.ok()?;
    Some(found)
}

/// A process of ours that costs something, too.
static CHILD: AtomicU32 = AtomicU32::new(0);

/// Its time counts as ours from now on; of 0, nobody's does.
pub fn count_child(pid: u32) {
    CHILD.store(pid, Ordering::Relaxed);
}

fn child_time() -> Duration {
    let (pid, mut clock) = (CHILD.load(Ordering::Relaxed) as libc::pid_t, 0);
    // SAFETY: the kernel fills the number that it is given.
    let is_there = pid != 0 && unsafe { libc::clock_getcpuclockid(pid, &mut clock) } == 0;
    if is_there { time_of(clock) } else { Duration::ZERO }
}

/// Time of our process so far, user and system, and of its children.
pub fn process_time() -> Duration {
    usage(libc::RUSAGE_SELF) + children_time() + child_time()
}

/// Of those that have ended.
pub fn children_time() -> Duration {
    usage(libc::RUSAGE_CHILDREN)
}

fn usage(whose: libc::c_int) -> Duration {
    // SAFETY: all zeros are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::getrusage(whose, &mut usage) };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Time of this thread so far.
pub fn thread_time() -> Duration {
    time_of(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// How long ago a moment on the clock of the programs is.
pub fn since(moment: Duration) -> Duration {
    time_of(libc::CLOCK_MONOTONIC).saturating_sub(moment)
}

fn time_of(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure it is given.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_add_up_and_many_stand_for_themselves() {
        let (few, many) = (Seen { ns: 200.0 * 3.0, runs: 200.0 }, Seen { ns: 1000.0 * 9.0, runs: 1000.0 });
        let mut seen = Seen { ns: 2000.0 * 6.0, runs: 2000.0 };
        seen.forget(OF_OURS);
        let mut after = |more| {
            seen.add(more);
            (seen.ns / seen.runs * 100.0).round()
        };
        assert_eq!([few, few, few, few].map(&mut after), [327.0, 314.0, 309.0, 305.0]);
        assert_eq!([many, few].map(after), [900.0, 660.0]);
    }
}
