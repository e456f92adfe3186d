//! Where system calls leave their traces in the saved user registers (`struct pt_regs`, whose layout is ABI).

use super::memory;
use crate::facts;

#[cfg(bpf_target_arch = "x86_64")]
mod layout {
    pub const AX: u64 = 80;
    pub const ARG0: u64 = 112;
    pub const ORIG_AX: u64 = 120;
    pub const ENOSYS: u64 = -38i64 as u64;
    pub const CONNECT: u32 = 42;
    /// `TS_COMPAT` of the thread's status.
    pub const COMPAT: u32 = 2;
}

#[cfg(bpf_target_arch = "aarch64")]
mod layout {
    pub const ARG0: u64 = 272;
    pub const SYSCALLNO: u64 = 280;
    pub const CONNECT: u32 = 203;
    /// `TIF_32BIT` of the thread's flags.
    pub const COMPAT: u32 = 1 << 22;
}

/// Bit of [`facts::TASK_COMPAT`] that says: inside a 32-bit call.
pub use layout::COMPAT;
/// Number of `connect`.
pub use layout::CONNECT;

/// First argument of the call that these registers entered with.
///
/// # Safety
/// `regs` is a trusted pointer to `pt_regs`.
#[inline(always)]
pub unsafe fn first_argument(regs: *const u8) -> u64 {
    // SAFETY: promised by the caller.
    unsafe { memory::load(regs, layout::ARG0) }
}

/// Number of the call that these registers entered with, at `sys_exit`.
///
/// # Safety
/// `regs` is a trusted pointer to `pt_regs`.
#[inline(always)]
pub unsafe fn entered_with(regs: *const u8) -> u32 {
    #[cfg(bpf_target_arch = "x86_64")]
    // SAFETY: promised by the caller.
    let nr = unsafe { memory::load::<u64>(regs, layout::ORIG_AX) } as u32;
    #[cfg(bpf_target_arch = "aarch64")]
    // SAFETY: promised by the caller.
    let nr = unsafe { memory::load::<u32>(regs, layout::SYSCALLNO) };
    nr
}

/// A word of the registers that a task has saved. At a change of tasks and in the task iterator, where the task does not
/// run, they are those it entered the kernel with.
///
/// # Safety
/// `task` is a trusted pointer to a user task's `task_struct`.
#[inline(always)]
unsafe fn saved(task: *const u8, offset: u64) -> Option<u64> {
    if facts::HAVE_TASK_PT_REGS.is_there() {
        // SAFETY: the pointer is a trusted task, as the helper demands; it returns a trusted pointer to `pt_regs`.
        unsafe {
            let regs = aya_ebpf::helpers::generated::bpf_task_pt_regs(task as *mut _) as *const u8;
            Some(memory::load(regs, offset))
        }
    } else {
        // SAFETY: promised by the caller.
        let stack: u64 = unsafe { memory::load(task, facts::TASK_STACK.load()) };
        memory::read(stack.wrapping_add(facts::STACK_REGS.load()), offset)
    }
}

/// First argument of the call that a task which is not running is inside of.
///
/// # Safety
/// As [`inside_call`].
#[inline(always)]
pub unsafe fn first_argument_of(task: *const u8) -> u64 {
    // SAFETY: promised by the caller.
    unsafe { saved(task, layout::ARG0) }.unwrap_or(u64::MAX)
}

/// Number of the call that a task which is not running is inside of, if it is inside of one.
///
/// On x86-64 the entry code stores -ENOSYS as the result to come, and nothing else leaves that value there together
/// with a call number: exceptions and interrupts store -1 as the number. On arm64 the number itself is -1 outside of calls.
///
/// # Safety
/// `task` is a trusted pointer to a user task's `task_struct`.
#[inline(always)]
pub unsafe fn inside_call(task: *const u8) -> Option<u32> {
    // SAFETY: promised by the caller.
    number(|offset| unsafe { saved(task, offset) })
}

#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
fn number(word: impl Fn(u64) -> Option<u64>) -> Option<u32> {
    if word(layout::AX)? != layout::ENOSYS {
        return None;
    }
    let nr = word(layout::ORIG_AX)? as u32;
    (nr != u32::MAX).then_some(nr)
}

#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
fn number(word: impl Fn(u64) -> Option<u64>) -> Option<u32> {
    // `syscallno` is the low half of the word on the little-endian kernels that exist.
    let nr = word(layout::SYSCALLNO)? as u32;
    (nr != u32::MAX).then_some(nr)
}
