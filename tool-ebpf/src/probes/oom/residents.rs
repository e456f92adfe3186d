//! What memory a process holds.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::oom::{ANON, COUNTERS, FILE, Resident, SHMEM};

use super::{cgroups, stalls};
use crate::{
    facts,
    support::{memory::read_or_zero, task::Task},
};

/// Smaller processes are nobody's reason for a lack of memory.
const SMALLEST_PAGES: i64 = 256;

/// Counters as the kernel keeps them. From 6.2 on each CPU has a part of its own, which is not added: the sum is off by at
/// most some dozen pages per CPU.
///
/// # Safety
/// `to` is writable.
#[inline(always)]
pub unsafe fn pages(mm: u64, to: *mut [i64; COUNTERS]) {
    let (first, stride) = (facts::MM_PAGES.load(), facts::MM_PAGES_STRIDE.load());
    let mut offset = first;
    for at in 0..COUNTERS {
        // SAFETY: promised by the caller; the index is bounded.
        unsafe { (*to)[at] = read_or_zero(mm, offset) };
        offset = offset.wrapping_add(stride);
    }
}

/// The task iterator: threads may wait, memory is the process's, which is its leader.
#[inline(always)]
pub fn resident(file: *mut c_void, task: Task) {
    stalls::visit(task);
    let (tid, mm) = (task.tid(), task.mm());
    if mm == 0 || tid != task.tgid() || task.is_kernel_thread() {
        return;
    }
    // A victim is to be left alone, by user space too.
    if read_or_zero::<u64>(task.signal(), facts::SIGNAL_OOM_MM.load()) != 0 {
        return;
    }
    // SAFETY: all zeros are an empty account.
    let mut found: Resident = unsafe { core::mem::zeroed() };
    // SAFETY: a place of our own.
    unsafe { pages(mm, &raw mut found.pages) };
    let held = found.pages[FILE].wrapping_add(found.pages[ANON]).wrapping_add(found.pages[SHMEM]);
    if held < SMALLEST_PAGES {
        return;
    }
    let memory = cgroups::of(task);
    let limit = cgroups::limit(memory, false);
    (found.owner, found.memory_cgroup) = (task.owner(), cgroups::id(memory));
    (found.limit_cgroup, found.usage_pages) = (limit.cgroup, limit.usage_pages);
    (found.limit_pages, found.failures) = (limit.limit_pages, limit.failures);
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut found.comm).cast::<[u64; 2]>().write_unaligned(task.comm()) };
    // SAFETY: the file is the iterator's own; the helper copies from our stack. Where it has no room left, the kernel visits the task
    // again with the next reading.
    unsafe { bpf_seq_write(file.cast(), (&raw const found).cast(), size_of::<Resident>() as u32) };
}
