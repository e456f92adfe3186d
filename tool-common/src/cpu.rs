//! Wire types of the `cpu` probe.
//!
//! What a CPU needs at each switch lies in its [`PerCpu`]. Histograms lie in [`Shard`]s that a few CPUs of a large machine
//! share: a machine of up to [`SHARDS`] CPUs shares none.

use crate::{hist, io::OwnerId};

/// Histograms of waits; a power of two.
pub const SHARDS: usize = 32;

/// Places of the table that says what tasks had waited when they ran last; a power of two.
pub const BASES: usize = 1 << BASE_BITS;
pub const BASE_BITS: u32 = 13;

/// Pairs of places for tasks that sleep, by the number of the thread: as many as the kernel has numbers, unless it was told otherwise
/// (`kernel.pid_max`). A power of two.
pub const SLEEPERS: usize = 1 << 15;

/// Long stays on a CPU that are remembered; a power of two.
pub const STAYS: usize = 8;

named! {
    /// Why something was not measured, as users read it. Every one is shown.
    Loss {
        /// The table of long waits was full.
        Waiters: "waiters full",
        /// The table of waits by process (`--by`) was full.
        By: "waits by process full",
        /// The table of tasks that have ended was full: the time that one ran is missing among those who ran.
        Ended: "ended tasks full",
        /// The table of interrupts by number was full.
        Interrupts: "interrupts full",
        /// Three tasks that sleep had the same two places: the sleep of one is not known.
        Sleeps: "sleepers full",
    }
}

/// All that one CPU writes at a switch, and `drift` and `shed`, which user space writes. What each switch needs is in the first line of
/// the cache.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default)]
pub struct PerCpu {
    /// What the clock of the programs is ahead of the run queue's, at `offset_at_ns`: a wrapping difference.
    pub offset_ns: u64,
    /// 0 before the first switch.
    pub offset_at_ns: u64,
    /// By how much the offset grows, in 2^-32.
    pub drift: i64,
    /// Runs of the program on `sched_switch`, which are changes of tasks.
    pub switches: u64,
    /// Of these, those of tasks that could have gone on.
    pub involuntary: u64,
    /// Sum of all measured waits.
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// Not 0: switches are not looked at for now, to keep a budget.
    pub shed: u64,
    /// Runs of the program on `sched_migrate_task`.
    pub migrations: u64,
    /// Waits of which the kernel did not keep the begin, or that ended before the clocks were compared.
    pub untimed: u64,
    /// Waits that may have begun earlier, on another CPU: the task was not in the table any more.
    pub unsure: u64,
    pub lost: [u64; Loss::ALL.len()],
    /// Time that tasks slept for I/O, as the kernel's pressure has it (`in_iowait`), where sleeps are looked at.
    pub io_ns: u64,
    /// The task that ran here at the last walk, and at the one before, by [`Shared::walks`].
    pub ran: [u64; 2],
    /// How many long stays there were here. The last ones are in `stays`, by their number.
    pub stayed: u64,
    pub stays: [Stay; STAYS],
    pub holder: Holder,
}

/// A long stay of a process on a CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stay {
    /// In the clock of the run queue.
    pub ended: u64,
    pub ran_ns: u64,
    pub owner: OwnerId,
    pub comm: [u8; 16],
}

/// Who had a CPU for most of a wait, while the programs find that out: numbers in memory are all alike to the verifier, which would
/// follow each by itself.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Holder {
    pub owner: OwnerId,
    /// How much more it had it than all others together.
    pub more_ns: u64,
    pub held_ns: u64,
    /// What all had that are known.
    pub all_ns: u64,
    /// One of its stays.
    pub at: u64,
}

/// Two tasks that sleep, by their threads' numbers: since when. 0: none.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Sleepers(pub [u64; 2]);

#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Shard {
    pub counts: [u32; hist::BUCKETS],
}

/// Shared by all CPUs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Shared {
    /// When the walk over all tasks began last, and the one before that.
    pub walked_ns: u64,
    pub walked_before_ns: u64,
    /// Their number.
    pub walks: u64,
}

/// Long waits of a process, by [`crate::io::OwnerId`]. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Waited {
    pub waits: u64,
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    pub comm: [u8; 16],
    /// Where the last of these waits ended.
    pub cpu: u32,
    pub pad: u32,
    /// Of the thread whose wait that was.
    pub scheduling: Scheduling,
}

/// A process that waited for long, and one that had the CPU meanwhile.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Behind {
    pub waiter: OwnerId,
    /// 0: nobody, the CPU was idle.
    pub holder: OwnerId,
}

/// For how much of those waits it had it, at least. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct CpuHeld {
    pub total_ns: u64,
    pub comm: [u8; 16],
}

/// What waits are added up by, for `--by`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct By {
    /// [`crate::io::OwnerId`]
    pub owner: u64,
    /// Row of the histogram.
    pub octave: u64,
}

/// One octave of one process's waits. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct WaitOctave {
    pub counts: [u32; hist::ROW],
    pub total_ns: u64,
    pub max_ns: u64,
    pub cgroup: u64,
    pub comm: [u8; 16],
}

/// What the kernel keeps of a task: sums since it began.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Times {
    /// Time on CPUs.
    pub ran_ns: u64,
    /// Time in run queues, as the kernel counts it: a wait after which the CPU was taken at once reads as 0.
    pub waited_ns: u64,
    /// Switches of its own will, and others.
    pub voluntary: u64,
    pub involuntary: u64,
}

/// How the kernel chooses a task among others.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Scheduling {
    /// `SCHED_*`
    pub policy: u32,
    /// 120 and the nice value.
    pub static_prio: u32,
    /// Of the real-time policies.
    pub rt_priority: u32,
    pub pad: u32,
}

/// A task that has run or waited since the walk before, or waits now.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Walked {
    /// Address and start: what a task is known by.
    pub task: u64,
    pub start_ns: u64,
    /// [`crate::io::OwnerId`]
    pub owner: u64,
    pub times: Times,
    /// How long it waits now; 0: it does not.
    pub waits_ns: u64,
    pub migrations: u64,
    pub tid: u32,
    pub cpu: u32,
    pub comm: [u8; 16],
    pub runs: u32,
    pub kernel_thread: u32,
    pub scheduling: Scheduling,
}

/// What tasks that have ended are added up by.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct EndedKey {
    /// The task, where it is older than the last walk: what it had run until then is known, and not to be counted again.
    pub task: u64,
    pub start_ns: u64,
    /// The process, where that may live on.
    pub owner: u64,
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    pub comm: [u8; 16],
}

/// Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Ended {
    pub tasks: u64,
    pub times: Times,
}

/// Softirqs that the kernel has, by number.
pub const SOFTIRQS: usize = 10;

/// What one kind of interrupt came to.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Vector {
    pub count: u64,
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
}

/// Interrupts of one CPU.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, Debug)]
pub struct Interrupts {
    /// When the one that goes on began; 0: none does.
    pub softirq_since_ns: u64,
    pub irq_since_ns: u64,
    pub softirqs: [Vector; SOFTIRQS],
}

// The kernel side is compiled for another target; both must agree to the byte.
const _: () = assert!(
    size_of::<PerCpu>() == 576 && size_of::<Stay>() == 40 && size_of::<Shard>() == 2368 && size_of::<Shared>() == 24
);
const _: () = assert!(size_of::<Vector>() == 24 && size_of::<Interrupts>() == 256);
const _: () = assert!(size_of::<Waited>() == 72 && size_of::<Behind>() == 16 && size_of::<CpuHeld>() == 24);
const _: () = assert!(size_of::<By>() == 16 && size_of::<WaitOctave>() == 104);
const _: () = assert!(size_of::<Walked>() == 120 && size_of::<EndedKey>() == 48 && size_of::<Ended>() == 40);

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, padding spelled out.
    unsafe impl aya::Pod for Waited {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Behind {}
    // SAFETY: as above.
    unsafe impl aya::Pod for CpuHeld {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Vector {}
    // SAFETY: as above.
    unsafe impl aya::Pod for By {}
    // SAFETY: as above.
    unsafe impl aya::Pod for WaitOctave {}
    // SAFETY: as above.
    unsafe impl aya::Pod for EndedKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Ended {}
}
