//! Wire types of the `oom` probe.

use crate::{hist, io::OwnerId};

/// Why a task waits for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Kind {
    /// The host has no free page: the task that needs one looks for pages to take away itself.
    Direct,
    /// Its cgroup is at a limit: the task takes pages away from that cgroup.
    Memcg,
    /// No free pages side by side: the task moves others to make room.
    Compaction,
    /// It sleeps for want of memory outside of these: pages come back from swap or are read again, or it is slowed down at
    /// `memory.high`.
    Sleep,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Direct, Kind::Memcg, Kind::Compaction, Kind::Sleep];

    /// From its number.
    pub fn of(number: u32) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Sleep)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct_reclaim",
            Self::Memcg => "memcg_reclaim",
            Self::Compaction => "compaction",
            Self::Sleep => "memory_stall",
        }
    }
}

/// A task as it was at a kill.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Task {
    pub owner: OwnerId,
    /// Cgroup id on the unified hierarchy; 0: not known.
    pub cgroup: u64,
    /// Cgroup id that its memory is charged to; on v1 hosts of another hierarchy. 0: not known.
    pub memory_cgroup: u64,
    pub comm: [u8; 16],
    pub tid: u32,
    pub kernel_thread: u32,
}

/// One process that the kernel chose, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Kill {
    pub at_ns: u64,
    pub victim: Task,
    /// The task that needed memory: not the victim, and in a cgroup of its own.
    pub trigger: Task,
    /// Address of the memory that will be free when the victim has ended.
    pub mm: u64,
    /// Pages: of files, anonymous, in swap, shared, as `enum { MM_FILEPAGES … }` has them.
    pub pages: [i64; COUNTERS],
    pub pgtables_bytes: u64,
    pub total_vm_pages: u64,
    /// The cgroup of the victim, or above it, that was at its limit: id, and pages used and allowed. 0: none was.
    pub limit_cgroup: u64,
    pub usage_pages: u64,
    pub limit_pages: u64,
    pub uid: u32,
    pub oom_score_adj: i32,
    /// This kernel told the victim as a task, and not only as a number.
    pub have_task: u32,
    /// The end of its memory will be told ([`Step::Freed`]); otherwise that of the process has to do.
    pub tells_free: u32,
}

/// `NR_MM_COUNTERS`.
pub const COUNTERS: usize = 4;
/// Places in [`Kill::pages`].
pub const FILE: usize = 0;
pub const ANON: usize = 1;
pub const SWAP: usize = 2;
pub const SHMEM: usize = 3;

/// How the memory of a victim becomes free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// The kernel's reaper has taken its private memory away.
    Reaped,
    /// Its last thread ends.
    Exited,
    /// All of its memory is free.
    Freed,
}

/// A victim on its way to its end, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Progress {
    pub at_ns: u64,
    /// Of the task that was marked.
    pub pid: u32,
    /// [`Step`].
    pub step: u32,
}

/// SIGKILL sent by somebody, on its way through the ring.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Signal {
    pub at_ns: u64,
    pub sender: Task,
    pub target: Task,
}

/// One process, and how it waits for memory: waits as long as an octave of [`hist`] says.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Stall {
    pub owner: OwnerId,
    /// [`Kind`].
    pub kind: u32,
    pub octave: u32,
}

/// Counts of one [`Stall`]. Added to atomically.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct StallOctave {
    pub counts: [u32; hist::ROW],
    pub total_ns: u64,
    pub max_ns: u64,
    pub cgroup: u64,
    pub comm: [u8; 16],
    pub kernel_thread: u32,
    pub pad: u32,
}

/// A task that waits for memory now, by its address.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Inside {
    pub since_ns: u64,
    /// When a walk over tasks found it waiting; 0: none has yet.
    pub seen_ns: u64,
    pub owner: OwnerId,
    pub tid: u32,
    /// [`Kind`].
    pub kind: u32,
}

/// One process's memory, as the task iterator finds it.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Resident {
    pub owner: OwnerId,
    /// As in [`Kill`].
    pub pages: [i64; COUNTERS],
    pub memory_cgroup: u64,
    /// As in [`Kill`], but the first cgroup that has a limit, whether it is reached or not.
    pub limit_cgroup: u64,
    pub usage_pages: u64,
    pub limit_pages: u64,
    /// How often that cgroup ran into its limit, since it was made.
    pub failures: u64,
    pub comm: [u8; 16],
}

named! {
    /// Why something was not shown, as users read it. Every one is counted.
    Loss {
        /// The ring was full.
        Events: "kill events full",
        /// The table of tasks that wait was full: a wait is not counted.
        Tasks: "tasks that wait for memory full",
        /// The table of processes that waited was full: a wait is in the totals only.
        Stalls: "processes that waited for memory full",
        /// The table of victims was full: it is not seen when their memory is free.
        Victims: "victims full",
    }
}

named! {
    /// Programs whose runs are counted.
    Program {
        Mark: "mark_victim",
        Reaped: "finish_task_reaping",
        Exit: "sched_process_exit",
        Freed: "exit_mmap",
        DirectBegin: "mm_vmscan_direct_reclaim_begin",
        DirectEnd: "mm_vmscan_direct_reclaim_end",
        MemcgBegin: "mm_vmscan_memcg_reclaim_begin",
        MemcgEnd: "mm_vmscan_memcg_reclaim_end",
        CompactionBegin: "mm_compaction_begin",
        CompactionEnd: "mm_compaction_end",
        Switch: "sched_switch",
        Signal: "signal_generate",
    }
}

/// Waits of one kind, of everybody.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Total {
    pub waits: u64,
    pub total_ns: u64,
}

/// All that one CPU counts. Added to atomically: an interrupt may come in between.
#[repr(C, align(64))]
#[derive(Clone, Copy, Default, Debug)]
pub struct PerCpu {
    pub runs: [u64; Program::ALL.len()],
    pub lost: [u64; Loss::ALL.len()],
    /// By [`Kind`].
    pub totals: [Total; Kind::ALL.len()],
    /// Processes marked as victims.
    pub kills: u64,
    pub pad: [u64; 7],
}

/// Ancestors of a cgroup that are looked at for a limit.
pub const DEPTH: usize = 12;

// The kernel side is compiled for another target; both must agree to the byte.
const _: () = assert!(size_of::<Task>() == 48 && size_of::<Kill>() == 200 && size_of::<Progress>() == 16);
const _: () = assert!(size_of::<Signal>() == 104 && size_of::<Stall>() == 16 && size_of::<StallOctave>() == 112);
const _: () = assert!(size_of::<Inside>() == 32 && size_of::<Resident>() == 96 && size_of::<PerCpu>() == 256);

#[cfg(feature = "user")]
mod pod {
    use super::*;
    // SAFETY: repr(C), only integers, padding spelled out.
    unsafe impl aya::Pod for Stall {}
    // SAFETY: as above.
    unsafe impl aya::Pod for StallOctave {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Inside {}
}
