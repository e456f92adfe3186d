//! What every probe may use.

pub mod arch;
pub mod cells;
pub mod count;
pub mod memory;
pub mod task;

/// Nanoseconds since boot, without the time asleep: the clock of every moment we store.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { aya_ebpf::helpers::generated::bpf_ktime_get_ns() }
}

/// The same number, of which the compiler knows nothing. Put it before a bounds check that the verifier has to see: the
/// compiler drops checks that it can prove needless, and the verifier can't follow every proof. It costs a move, not nothing:
/// an empty one would leave two line records at one instruction, which the kernel refuses.
#[inline(always)]
pub fn opaque(mut number: usize) -> usize {
    // SAFETY: copies a register onto itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}
