//! Reading kernel memory at offsets that are known only at load time.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};

/// A direct load through a pointer that the verifier trusts (a `tp_btf` argument, or one reached from there). It costs
/// one instruction. A fault reads as 0, but not on kernel 5.10, which looks for its own exceptions in the wrong place and dies where a
/// program has functions of its own: a pointer that may be null is tested before it is followed.
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

/// The same where zero says enough: the helper leaves that where it cannot read. Without a branch, which spares the verifier half of
/// its work each time.
#[inline(always)]
pub fn read_or_zero<T: Copy>(base: u64, offset: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address itself, and always writes all of the value. The callers read numbers, for which all
    // bits are valid.
    unsafe {
        let from = base.wrapping_add(offset) as *const _;
        generated::bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from);
        value.assume_init()
    }
}
