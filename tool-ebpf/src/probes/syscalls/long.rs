//! Only sleeps that last: what a look at the whole host needs, at the price of a comparison for all others.
//!
//! A task that is given a CPU again is still inside of the call that it slept in, so nothing has to be noted when it goes to sleep. What
//! sleeps at a tick is found by a walk over tasks, which therefore also finds what slept before the run.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::syscalls::{Asleep, COMPAT, row};

use super::{
    account::{self, Finished},
    tables,
};
use crate::{
    facts,
    probes::filter::wanted,
    support::{arch, task::Task},
};

/// `sched_switch`: a task that slept for so long runs again.
#[inline(always)]
pub fn slept(task: Task, slept_ns: u64) {
    if slept_ns < facts::SYSCALLS_SLOW_NS.load() || !wanted(task) {
        return;
    }
    // SAFETY: only user tasks are timed.
    let (Some(nr), Some(cpu)) = (unsafe { call_of(task) }, tables::cpu()) else { return };
    tables::record(cpu, row(nr), slept_ns);
    let call = Finished { nr, row: row(nr), latency_ns: slept_ns, errno: 0 };
    // SAFETY: the task is inside a call: its registers are there.
    account::add(cpu, &call, || task, || unsafe { arch::first_argument_of(task.address()) });
}

/// # Safety
/// A trusted user task.
#[inline(always)]
unsafe fn call_of(task: Task) -> Option<u32> {
    // SAFETY: promised by the caller.
    let nr = unsafe { arch::inside_call(task.address()) }?;
    Some(if task.in_compat_call() { nr | COMPAT } else { nr & !COMPAT })
}

/// The walk: a task that sleeps for so long inside of a call that does not wait by design. `age_ns` finds out for how long; `u64::MAX`:
/// since before the run.
///
/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn asleep(output: *mut c_void, task: Task, age_ns: impl Fn() -> u64) {
    if task.on_cpu() || !task.is_asleep() || !task.is_user() {
        return;
    }
    let age_ns = age_ns();
    if age_ns < facts::SYSCALLS_SLOW_NS.load() || !wanted(task) {
        return;
    }
    // SAFETY: the iterator's tasks are trusted.
    let Some(nr) = (unsafe { call_of(task) }) else { return };
    let call = Finished { nr, row: row(nr), latency_ns: age_ns, errno: 0 };
    // SAFETY: it sleeps inside of that call.
    if account::waits_by_design(task, &call, || unsafe { arch::first_argument_of(task.address()) }) {
        return;
    }
    let asleep = Asleep { task: task.key(), age_ns, nr, tid: task.tid(), tgid: task.tgid(), pad: 0 };
    // SAFETY: promised by the caller; the kernel asks again where its buffer was full.
    unsafe { bpf_seq_write(output.cast(), (&raw const asleep).cast(), size_of::<Asleep>() as u32) };
}
