//! What every probe may use.

use core::ffi::c_void;

pub mod arch;
pub mod cells;
pub mod cgroup;
pub mod count;
pub mod dirty;
pub mod memory;
pub mod switch;
pub mod task;

/// Nanoseconds since boot, without the time asleep: the clock of every moment we store.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { aya_ebpf::helpers::generated::bpf_ktime_get_ns() }
}

/// What a map says of an entry that is there already.
pub const EXISTS: i32 = -17;

/// The same number, of which the compiler knows nothing. Put it before a bounds check that the verifier has to see: the
/// compiler drops checks that it can prove needless, and the verifier can't follow every proof. It costs a move, not nothing:
/// an empty one would leave two line records at one instruction, which the kernel refuses.
#[inline(always)]
pub fn opaque(mut number: usize) -> usize {
    // SAFETY: copies a register onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}

/// The first argument of a tracepoint, or the second where `queue_first` says that this kernel passes a request queue before it.
/// In assembly, because the compiler would choose between two offsets and load once, which old verifiers refuse.
///
/// # Safety
/// `ctx` is the context of a BTF tracepoint with that many arguments.
#[inline(always)]
pub unsafe fn argument_behind_queue(ctx: *const c_void, queue_first: bool) -> *const u8 {
    let argument: *const u8;
    // SAFETY: promised by the caller, and checked by the verifier.
    unsafe {
        if queue_first {
            core::arch::asm!("{0} = *(u64 *)({1} + 8)", out(reg) argument, in(reg) ctx, options(pure, readonly, nostack));
        } else {
            core::arch::asm!("{0} = *(u64 *)({1} + 0)", out(reg) argument, in(reg) ctx, options(pure, readonly, nostack));
        }
    }
    argument
}
