//! Counting.

/// Adds to a counter that other processors may be adding to at the same moment.
///
/// # Safety
/// `counter` points into a map value.
#[inline(always)]
pub unsafe fn add_shared(counter: *mut u64, by: u64) {
    // SAFETY: the verifier checks the pointer. The result is not fetched, which kernels before 5.12 cannot do.
    unsafe {
        core::arch::asm!("lock *(u64 *)({counter} + 0) += {by}", counter = in(reg) counter, by = in(reg) by);
    }
}
