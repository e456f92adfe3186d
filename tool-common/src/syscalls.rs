//! Wire types of the `syscalls` probe.
//!
//! One [`PerCpu`] block per CPU, written only by that CPU and read by user space through one shared
//! mapping; beside it the [`Layout`] that all CPUs share, and hash maps for what is rare.

use crate::{hist, io::OwnerId};

/// Native call numbers that have a row each. x86-64 and arm64 stand near 470 today.
pub const NATIVE: usize = 512;
/// The row of all 32-bit (compat) calls, whose numbers mean other calls than the native ones.
pub const COMPAT_ROW: usize = NATIVE;
/// The row of numbers that are neither: x32, or garbage from a program.
pub const UNKNOWN_ROW: usize = NATIVE + 1;
/// Rows of the call table.
pub const ROWS: usize = NATIVE + 2;

/// Set in a call number made through the 32-bit entry.
pub const COMPAT: u32 = 1 << 31;

/// Histogram rows (one octave of one call each) that a host can use. Builds, tests and virtual machines together were seen to need
/// 609, with a hundred different calls.
pub const CELLS: usize = 928;

named! {
    /// Why something was not measured, as users read it. Every one is shown.
    Loss {
        /// The table of tasks was full: a call that slept lost its start.
        Tasks: "task table full",
        /// All [`CELLS`] were taken: a call was counted without its latency.
        Cells: "histograms full",
        /// The table of slow calls was full.
        Slow: "slow table full",
        /// The table of errors by kind was full: the error was counted, its kind was not.
        Errno: "error table full",
        /// The table of the full breakdown (`--by`) was full.
        By: "breakdown full",
    }
}

/// The call that the task now running on this CPU is inside of.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Call {
    /// Address of the task's saved registers, which no two living tasks share; 0 when there is no call.
    pub regs: u64,
    /// `bpf_ktime_get_ns` at entry.
    pub start_ns: u64,
    /// Call number, with [`COMPAT`].
    pub nr: u32,
    pub tid: u32,
    pub tgid: u32,
    pub pad: u32,
}

/// What is counted for one call, on one CPU. `calls` is the sum of the histogram and of the untimed ones.
/// Numbers of calls wrap; differences stay right.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Row {
    /// Sum of all measured latencies.
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// Calls that returned an error number.
    pub errors: u32,
    /// Calls that ended with ERESTART*: a signal interrupted them, and the kernel decides later whether the caller
    /// sees EINTR or the call starts again.
    pub interrupted: u32,
    /// Calls counted without a latency: begun before we attached, refused by seccomp, or with a loss counted.
    pub untimed: u32,
    /// Calls that end the task that makes them (`exit`, `exit_group`).
    pub unreturned: u32,
}

/// All that one CPU writes.
#[repr(C, align(64))]
pub struct PerCpu {
    pub call: Call,
    /// Runs of the program on `sys_enter`, filtered ones included: our own cost is computed from these two.
    pub enters: u64,
    /// Runs of the program on `sched_switch`.
    pub switches: u64,
    pub lost: [u64; Loss::ALL.len()],
    /// Calls that were running when we attached, and whose start is unknown.
    pub before_start: u64,
    pub rows: [Row; ROWS],
    pub cells: [hist::Octave; CELLS],
}

/// How a call waits, which decides whether a long one is worth showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CallWait {
    /// A long call of this kind is somebody's delay.
    ForWork = 0,
    /// It waits by design: poll, nanosleep, wait4 …
    ByDesign = 1,
    /// It waits by design if its first argument is a terminal, pipe, socket or the like; for work if it is a file.
    ByFile = 2,
}

/// Columns of [`Layout::cell`]: [`hist::ROWS`], rounded up so that a bounded index is one shift away.
pub const STRIDE: usize = 40;

/// Shared by all CPUs.
#[repr(C)]
pub struct Layout {
    /// Which cell holds an octave of a call; 0 until it first occurs, so cell 0 is never used.
    pub cell: [[u16; STRIDE]; ROWS],
    /// [`CallWait`] of each row, written by user space before the programs are attached.
    pub waits: [u8; ROWS],
    pub pad: [u8; 6],
}

/// A task, keyed by the address of its `task_struct`, from the first call it sleeps in until it dies.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct TaskInCall {
    /// When the call (blocked mode: the sleep) began; 0 when there is none; [`BEFORE_START`] when it is older than we are.
    pub start_ns: u64,
    pub nr: u32,
    pub tid: u32,
    pub tgid: u32,
    pub pad: u32,
}

/// A task that sleeps inside of a call for long, as a walk over tasks finds it.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Asleep {
    /// Address of its `task_struct`.
    pub task: u64,
    /// `u64::MAX`: since before we attached.
    pub age_ns: u64,
    /// Call number, with [`COMPAT`].
    pub nr: u32,
    pub tid: u32,
    pub tgid: u32,
    pub pad: u32,
}

/// [`TaskInCall::start_ns`] of a call that was already running when we attached.
pub const BEFORE_START: u64 = 1;

/// Whose calls are added up: the key of the tables of slow calls and of `--by`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    pub owner: OwnerId,
    /// Call number, with [`COMPAT`].
    pub nr: u32,
    /// 1 for a call that waits by design.
    pub idle: u16,
    /// What it failed with, where failed calls are told apart by that; 0: the error is not looked at.
    pub errno: u16,
}

/// What a [`Caller`] did.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Account {
    pub calls: u64,
    pub errors: u64,
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    /// Name of the thread that made the last of these calls.
    pub comm: [u8; 16],
}

// The kernel side is compiled for another target; both must agree to the byte.
const _: () = assert!(size_of::<Row>() == 32 && size_of::<hist::Octave>() == 64 && size_of::<Call>() == 32);
const _: () = assert!(
    size_of::<TaskInCall>() == 24
        && size_of::<Asleep>() == 32
        && size_of::<Caller>() == 16
        && size_of::<Account>() == 56
);
const _: () = assert!(size_of::<PerCpu>() == 75_968 && size_of::<PerCpu>().is_multiple_of(64));
const _: () = assert!(size_of::<Layout>().is_multiple_of(8) && hist::ROWS <= STRIDE);

/// The row that counts call number `nr`.
#[inline(always)]
pub const fn row(nr: u32) -> usize {
    if nr & COMPAT != 0 {
        COMPAT_ROW
    } else if nr < NATIVE as u32 {
        nr as usize
    } else {
        UNKNOWN_ROW
    }
}

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, padding spelled out.
    unsafe impl aya::Pod for TaskInCall {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Caller {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Account {}
}
