//! Numbers that are handed out once, to whoever needs one first, on whatever CPU.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    maps::{HashMap, Queue},
};

/// The number of `key`; every CPU gets the same answer. `None`: all are taken. A queue holds those that are free,
/// because kernels before 5.12 have no atomic fetch-and-add.
#[inline(always)]
pub fn claim<K>(claims: &HashMap<K, u32>, free: &Queue<u32>, key: K) -> Option<u32> {
    if let Some(number) = claims.get_ptr(&key) {
        // SAFETY: entries are never removed.
        return Some(unsafe { *number });
    }
    let number = free.pop().ok()??;
    if claims.insert(&key, number, BPF_NOEXIST.into()).is_ok() {
        return Some(number);
    }
    // Another CPU was faster.
    let _ = free.push(number, 0);
    // SAFETY: as above.
    claims.get_ptr(&key).map(|number| unsafe { *number })
}
