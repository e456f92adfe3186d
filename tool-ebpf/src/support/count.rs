//! Counting where several CPUs, or an interrupt of this one, may count at the same moment.

use core::arch::asm;

/// # Safety
/// `counter` points into a map value.
#[inline(always)]
pub unsafe fn add_shared(counter: *mut u64, by: u64) {
    // SAFETY: the verifier checks the pointer. The result is not fetched, which kernels before 5.12 cannot do.
    unsafe { asm!("lock *(u64 *)({counter} + 0) += {by}", counter = in(reg) counter, by = in(reg) by) };
}

/// # Safety
/// As [`add_shared`].
#[inline(always)]
pub unsafe fn add_shared_half(counter: *mut u32, by: u32) {
    // SAFETY: as above. The register is a whole one, of which the kernel takes the half.
    unsafe { asm!("lock *(u32 *)({counter} + 0) += {by}", counter = in(reg) counter, by = in(reg) u64::from(by)) };
}

/// Two maxima at the same moment may leave the smaller one, which sums and histograms beside it do not.
///
/// # Safety
/// As [`add_shared`].
#[inline(always)]
pub unsafe fn raise_shared(maximum: *mut u64, to: u64) {
    // SAFETY: as above.
    unsafe {
        if to > maximum.read_volatile() {
            maximum.write_volatile(to);
        }
    }
}
