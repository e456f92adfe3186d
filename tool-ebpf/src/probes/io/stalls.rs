//! Who sleeps uninterruptibly, for how long, and on what.
//!
//! A wait begins when the task leaves its CPU and ends when it is woken: the time until it runs again is not the device's.
//! What it waits for is in its kernel stack, which is taken when a long wait ends; short ones cost no stack.

use core::ffi::c_void;

use stillwatch_common::{
    io::{BEFORE_START, NO_CALL, Program, Stall, TaskAsleep as Entry, Waits},
    syscalls::COMPAT,
};

use super::{stacks, tables};
use crate::{
    facts::{self, on},
    support::{
        arch,
        count::{add_shared, raise_shared},
        now_ns,
        switch::Switch,
        task::{Task, is_stall},
    },
};

/// The end of a request wakes those who wait for it, on the same CPU and at once; a large one has many pages to unlock
/// first, at some 100 ns each.
const AT_ONCE_NS: u64 = 100_000;

/// `sched_switch`.
#[inline(always)]
pub fn switch(switch: &Switch) {
    // Where `cpu` looks, it counts the runs.
    if !on(&facts::CPU_TIMES) {
        tables::cpu(Program::Switch);
    }
    if switch.dead {
        return tables::forget_task(switch.prev.key());
    }
    if switch.sleeps && is_stall(switch.state) {
        sleep(switch, now_ns());
    }
}

#[inline(always)]
fn sleep(switch: &Switch, since_ns: u64) {
    let task = switch.prev;
    if let Some(known) = tables::task(task.key()) {
        // SAFETY: a map value; only the task itself goes to sleep.
        unsafe { (&raw mut (*known).since_ns).write_volatile(since_ns) };
        return;
    }
    let Some(cpu) = tables::this_cpu() else { return };
    let (tid, tgid, kernel_thread) = (switch.prev_tid, task.tgid(), task.is_kernel_thread().into());
    tables::add_task(cpu, task.key(), &Entry { since_ns, tid, tgid, dev: 0, kernel_thread });
}

/// `sched_waking`: a task is about to be woken, and still has the state that it sleeps in.
#[inline(always)]
pub fn waking(ctx: *mut c_void, task: Task) {
    let Some(cpu) = tables::cpu(Program::Waking) else { return };
    if !is_stall(task.state()) {
        return;
    }
    let Some(known) = tables::task(task.key()) else { return };
    // SAFETY: a map value.
    let Entry { since_ns, kernel_thread, .. } = unsafe { *known };
    if since_ns == 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { (&raw mut (*known).since_ns).write_volatile(0) };
    if since_ns == BEFORE_START {
        return;
    }
    let at_ns = now_ns();
    let wait_ns = at_ns.wrapping_sub(since_ns);
    // SAFETY: this CPU's block.
    let (done_ns, done_bytes, done_dev) = unsafe { ((*cpu).done_ns, (*cpu).done_bytes, (*cpu).done_dev) };
    let by_request = task.in_iowait() && at_ns.wrapping_sub(done_ns) < AT_ONCE_NS + u64::from(done_bytes >> 3);
    let long = wait_ns >= facts::IO_STALL_NS.load();
    let nr = call_of(task);
    let mut dev = 0;
    if by_request {
        dev = done_dev;
        // SAFETY: a map value.
        unsafe { (*known).dev = dev };
    } else if long && tables::works_on_file(nr) {
        // SAFETY: it sleeps inside of that call.
        dev = task.file_dev(unsafe { arch::first_argument_of(task.address()) });
    }
    let stack = if long { stacks::of_task(task) } else { 0 };
    let key = Stall { stack, owner: task.owner(), dev, nr, kernel_thread, pad: 0 };
    let Some(waits) = tables::stall(cpu, &key, task) else { return };
    // SAFETY: a map value, shared between CPUs.
    unsafe {
        add_shared(&raw mut (*waits).waits, 1);
        add_shared(&raw mut (*waits).total_ns, wait_ns);
        raise_shared(&raw mut (*waits).max_ns, wait_ns);
        // Taken anew each time: programs change it when they execute another one.
        (&raw mut (*waits).comm).cast::<[u64; 2]>().write(task.comm());
        if long && !by_request {
            note_waker(ctx, waits);
        }
    }
}

/// # Safety
/// `waits` points into a map value.
#[inline(always)]
unsafe fn note_waker(ctx: *mut c_void, waits: *mut Waits) {
    let waker = Task::current();
    // SAFETY: promised by the caller.
    unsafe {
        (*waits).waker_tid = waker.tid();
        (*waits).waker_tgid = waker.tgid();
        (*waits).waker_kernel_thread = waker.is_kernel_thread().into();
        (&raw mut (*waits).waker_comm).cast::<[u64; 2]>().write(waker.comm());
        (*waits).waker_dev = match tables::task(waker.key()) {
            Some(known) => (*known).dev,
            None => 0,
        };
        (*waits).waker_stack = stacks::of_current(ctx);
    }
}

/// The system call that a sleeping task is inside of.
#[inline(always)]
fn call_of(task: Task) -> u32 {
    if !task.is_user() {
        return NO_CALL;
    }
    // SAFETY: a trusted user task.
    match unsafe { arch::inside_call(task.address()) } {
        Some(nr) if task.in_compat_call() => nr | COMPAT,
        Some(nr) => nr & !COMPAT,
        None => NO_CALL,
    }
}

/// The task iterator: a wait that began before we were there goes on.
#[inline(always)]
pub fn visit(task: Task) {
    if task.on_cpu() || !is_stall(task.state()) {
        return;
    }
    let (tid, tgid, kernel_thread) = (task.tid(), task.tgid(), task.is_kernel_thread().into());
    let Some(cpu) = tables::this_cpu() else { return };
    tables::add_task(cpu, task.key(), &Entry { since_ns: BEFORE_START, tid, tgid, dev: 0, kernel_thread });
}
