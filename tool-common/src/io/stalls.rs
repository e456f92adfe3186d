//! Who sleeps uninterruptibly, and on what.

use super::OwnerId;

/// A task, keyed by the address of its `task_struct`, from its first uninterruptible sleep until it dies.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct TaskAsleep {
    /// When it went to sleep; 0 when it does not; [`BEFORE_START`] when it slept before we attached.
    pub since_ns: u64,
    pub tid: u32,
    pub tgid: u32,
    /// The device whose request ended its last wait for one.
    pub dev: u32,
    pub kernel_thread: u32,
}

/// [`TaskAsleep::since_ns`] of a wait that is older than we are.
pub const BEFORE_START: u64 = 1;

/// [`Stall::nr`] outside of system calls.
pub const NO_CALL: u32 = u32::MAX;

/// What a process waited for.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Hash)]
pub struct Stall {
    /// Key of its [`Stack`]; 0 when the wait was too short to take it.
    pub stack: u64,
    pub owner: OwnerId,
    /// The device whose request ended the wait, or that the file lies on which the call works on; 0: not known.
    pub dev: u32,
    /// Call number, with `syscalls::COMPAT`, or [`NO_CALL`].
    pub nr: u32,
    pub kernel_thread: u32,
    pub pad: u32,
}

/// Added to atomically, the last waker apart.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Waits {
    pub waits: u64,
    pub total_ns: u64,
    /// The longest since the start of measuring; never reset.
    pub max_ns: u64,
    /// cgroup id on the unified hierarchy.
    pub cgroup: u64,
    pub comm: [u8; 16],
    /// The task that ran when the last of these waits was ended: the waker, unless it was interrupted for it, which its
    /// stack tells. Of long waits only.
    pub waker_comm: [u8; 16],
    pub waker_tgid: u32,
    pub waker_tid: u32,
    /// The device that the waker itself waited for last.
    pub waker_dev: u32,
    pub waker_kernel_thread: u32,
    /// Key of the waker's [`Stack`].
    pub waker_stack: u64,
}

/// Frames that are kept of a stack.
pub const FRAMES: usize = 32;

/// Return addresses, innermost first, 0 behind the last.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Stack {
    pub frames: [u64; FRAMES],
}
