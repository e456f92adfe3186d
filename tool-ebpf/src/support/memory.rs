//! Reading kernel memory at offsets that are known only at load time.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// A direct load through a pointer that the verifier trusts (a `tp_btf` argument, or one reached from there). It costs
/// one instruction; a fault reads as 0.
///
/// # Safety
/// `base` is such a pointer and a `T` lies at `offset`; the verifier refuses anything else at load time.
#[inline(always)]
pub unsafe fn load<T: Copy>(base: *const u8, offset: u64) -> T {
    // SAFETY: promised by the caller, and checked by the verifier. Volatile, so that no load is moved or widened.
    unsafe { base.byte_add(offset as usize).cast::<T>().read_volatile() }
}

/// A checked read through any address, for paths that are rare enough to pay for a helper.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: u64) -> Option<T> {
    if base == 0 {
        return None;
    }
    // SAFETY: the helper checks the address itself.
    unsafe { bpf_probe_read_kernel((base.wrapping_add(offset)) as *const T) }.ok()
}
