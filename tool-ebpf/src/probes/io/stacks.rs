//! Kernel stacks, kept once each.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated,
    macros::map,
    maps::{LruHashMap, PerCpuArray},
};
use stillwatch_common::io::{FRAMES, Stack};

use crate::support::task::Task;

/// Too large for the stack of a program.
#[map]
static IO_STACK_BUFFER: PerCpuArray<Stack> = PerCpuArray::with_max_entries(1, 0);

/// By a hash of their frames. Those that occur stay, as they are looked up.
#[map]
static IO_STACKS: LruHashMap<u64, Stack> = LruHashMap::with_max_entries(1024, 0);

const BYTES: u32 = (FRAMES * 8) as u32;

/// Key of the stack of a task that sleeps; 0 if it can't be had.
#[inline(always)]
pub fn of_task(task: Task) -> u64 {
    let Some(buffer) = IO_STACK_BUFFER.get_ptr_mut(0) else { return 0 };
    // SAFETY: a trusted task, as the helper demands, and a buffer of that size. The helper fills what it does not need
    // with zeros.
    let bytes = unsafe { generated::bpf_get_task_stack(task.address() as *mut _, buffer.cast(), BYTES, 0) };
    keep(buffer, bytes)
}

/// Key of the stack of this program, and of what it interrupted.
#[inline(always)]
pub fn of_current(ctx: *mut c_void) -> u64 {
    let Some(buffer) = IO_STACK_BUFFER.get_ptr_mut(0) else { return 0 };
    // SAFETY: the program's own context, and a buffer of that size.
    let bytes = unsafe { generated::bpf_get_stack(ctx, buffer.cast(), BYTES, 0) };
    keep(buffer, bytes)
}

#[inline(always)]
fn keep(buffer: *mut Stack, bytes: i64) -> u64 {
    if bytes <= 0 {
        return 0;
    }
    let mut key = 0xcbf2_9ce4_8422_2325_u64;
    for at in 0..FRAMES {
        // SAFETY: inside the buffer.
        let frame = unsafe { (*buffer).frames[at] };
        key = (key ^ frame).wrapping_mul(0x0000_0100_0000_01b3);
        key ^= key >> 29;
    }
    // 0 is for none.
    key |= 1;
    if IO_STACKS.get_ptr(key).is_none() {
        // SAFETY: the whole buffer was just filled. By reference: a copy would not fit on the stack of a program.
        let whole: &Stack = unsafe { &*buffer };
        let _ = IO_STACKS.insert(key, whole, 0);
    }
    key
}
