//! What the loader knows about this kernel and this run, set before the programs are loaded.
//!
//! The maps behind these are frozen, so the verifier takes every value for a constant and removes the branches that are
//! off: a feature that nobody asked for costs nothing. Offsets come from the running kernel's BTF.

use aya_ebpf::Global;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: Global<$type> = Global::new($default);)*
    };
}

/// An offset that this kernel does not have.
pub const ABSENT: u64 = u64::MAX;

facts! {
    /// `sched_switch` passes the state that the task leaves in (5.18); before, it has to be read from the task.
    HAVE_PREV_STATE: u8 = 0;
    /// `bpf_get_current_task_btf` (5.11): fields of the current task by direct loads.
    HAVE_CURRENT_BTF: u8 = 0;
    /// `bpf_task_pt_regs` (5.15); before, the registers are found by their place on the stack.
    HAVE_TASK_PT_REGS: u8 = 0;
    /// Distance of the saved user registers from the start of a task's stack, where the helper above is missing.
    STACK_REGS: u64 = 0;

    TASK_PID: u64 = 0;
    TASK_TGID: u64 = 0;
    TASK_FLAGS: u64 = 0;
    /// `__state`, or `state` before 5.14.
    TASK_STATE: u64 = 0;
    TASK_STACK: u64 = 0;
    TASK_COMM: u64 = 0;
    TASK_LEADER: u64 = 0;
    TASK_ON_CPU: u64 = 0;
    /// `start_time`: monotonic nanoseconds.
    TASK_START: u64 = 0;
    TASK_SECCOMP: u64 = ABSENT;
    TASK_FILES: u64 = ABSENT;
    TASK_CGROUPS: u64 = ABSENT;
    /// A word of the task's `thread_info`, and the bit in it that says: inside a 32-bit call.
    TASK_COMPAT: u64 = ABSENT;
    COMPAT_BIT: u32 = 0;

    FILES_FDT: u64 = 0;
    FDT_FD: u64 = 0;
    FILE_INODE: u64 = 0;
    INODE_MODE: u64 = 0;

    /// From a task's `css_set` to its cgroup on the unified hierarchy.
    CSET_DEFAULT: u64 = 0;
    /// From a task's `css_set` to the cgroup that the filter looks at: directly (v2), or through the subsystem state of one
    /// controller (v1).
    CSET_CGROUP: u64 = 0;
    /// Not [`ABSENT`] where [`CSET_CGROUP`] leads to a subsystem state: its `cgroup` member.
    CSS_CGROUP: u64 = ABSENT;
    CGROUP_PARENT: u64 = 0;
    /// From `cgroup_subsys_state` of the parent back to its `cgroup`.
    PARENT_CGROUP: u64 = 0;
    CGROUP_KN: u64 = 0;
    KN_ID: u64 = 0;

    /// When the run began; a task that is younger cannot have been inside a call before.
    STARTED_NS: u64 = 0;

    SYSCALLS_EXACT: u8 = 0;
    SYSCALLS_BLOCKED: u8 = 0;
    /// Threshold of the table of slow calls; `u64::MAX` is off.
    SYSCALLS_SLOW_NS: u64 = u64::MAX;
    /// Add up every call by process.
    SYSCALLS_BY: u8 = 0;
    /// Only calls that fail.
    SYSCALLS_ERRORS: u8 = 0;

    /// Only these processes: 0 off, 1 the one in [`FILTER_TGID`], 2 those in the map `FILTER_TGIDS`.
    FILTER_PIDS: u8 = 0;
    FILTER_TGID: u32 = 0;
    /// Only tasks with this name, or whose process has it: its 16 bytes as two words.
    FILTER_COMM: u8 = 0;
    FILTER_COMM_0: u64 = 0;
    FILTER_COMM_1: u64 = 0;
    /// Only tasks in or below the cgroup with this kernfs id; 0 is off.
    FILTER_CGROUP: u64 = 0;
}

/// A switch, as a condition.
#[inline(always)]
pub fn on(fact: &Global<u8>) -> bool {
    fact.load() != 0
}
