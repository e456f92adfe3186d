//! Where does the time of system calls go?
//!
//! Exact mode. `sys_enter` notes the call in this CPU's slot, `sys_exit` takes it from there. Only when the task is
//! switched out inside the call does `sched_switch` move the note to the table of tasks, which thereby is the list of
//! calls in flight. The slot always speaks of the task that runs, because every change of tasks empties it.
//!
//! Blocked mode. No hook on calls: a task that goes to sleep shows in its saved registers which call it is in.
//!
//! Long mode. The same, of sleeps that last ([`long`]): how long they were, the probe `cpu` says.
//!
//! Hooks: `sys_enter`, `sys_exit`, `sched_switch`, and the task iterator once at start; in long mode an iterator over tasks at each tick.
//! Maps: [`tables`]. Cost per call: two entries into BPF, two clock reads, no hash map unless the call sleeps.
//! Blind spots: a signal restart is a second call; blocked mode sees sleeps, not calls.

mod account;
mod long;
mod tables;

use stillwatch_common::syscalls::{BEFORE_START, COMPAT, Call, Loss, TaskInCall as Entry, row};

use account::Finished;
pub use long::{asleep, slept};

use crate::{
    facts::{self, on},
    probes::filter::wanted,
    support::{arch, now_ns, switch::Switch, task::Task},
};

/// Errors from here on never reach the caller: the kernel restarts the call or turns them into EINTR.
const ERESTARTSYS: i64 = 512;
const MAX_ERRNO: i64 = 4095;

/// An error number for the caller.
#[inline(always)]
fn is_error(ret: i64) -> bool {
    (1 - ERESTARTSYS..0).contains(&ret)
}

/// An error number, or one that a signal leaves for the kernel to decide on.
#[inline(always)]
fn is_failure(ret: i64) -> bool {
    (-MAX_ERRNO..0).contains(&ret)
}

/// `sys_enter`.
#[inline(always)]
pub fn enter(regs: u64, nr: u32) {
    let Some(cpu) = tables::cpu() else { return };
    // SAFETY: this CPU's block.
    unsafe { (*cpu).enters += 1 };
    let task = Task::current();
    if !wanted(task) {
        return;
    }
    let nr = if task.in_compat_call() { nr | COMPAT } else { nr & !COMPAT };
    let (tid, tgid, start_ns) = (task.tid(), task.tgid(), now_ns());
    // SAFETY: a slot of this CPU. `regs` is stored last: only then the slot counts as taken, should a kernel let
    // this program be preempted half-way.
    unsafe {
        let call = &raw mut (*cpu).call;
        (*call).start_ns = start_ns;
        (*call).nr = nr;
        (*call).tid = tid;
        (*call).tgid = tgid;
        (&raw mut (*call).regs).write_volatile(regs);
    }
}

/// `sys_exit`.
///
/// # Safety
/// `regs` is a trusted `pt_regs`.
#[inline(always)]
pub unsafe fn exit(regs: *const u8, ret: i64) {
    let Some(cpu) = tables::cpu() else { return };
    // SAFETY: a slot of this CPU.
    let call = unsafe { &mut (*cpu).call };
    let (start_ns, nr);
    if call.regs == regs as u64 {
        (start_ns, nr) = (call.start_ns, call.nr);
        call.regs = 0;
    } else {
        let task = Task::current();
        if !wanted(task) {
            return;
        }
        match tables::take(task.key()) {
            Some(entry) => (start_ns, nr) = (entry.start_ns, entry.nr),
            // SAFETY: promised by the caller.
            None => return unsafe { unmatched(cpu, task, regs, ret) },
        }
    }
    let failed = is_failure(ret) && nr != RT_SIGRETURN;
    let error = failed && is_error(ret);
    if on(&facts::SYSCALLS_ERRORS) && !error {
        return;
    }
    let row = row(nr);
    if failed {
        count_failure(cpu, row, ret);
    }
    if start_ns == BEFORE_START {
        return count_before_start(cpu, row);
    }
    let latency_ns = now_ns().wrapping_sub(start_ns);
    tables::record(cpu, row, latency_ns);
    // SAFETY: promised by the caller.
    let fd = || unsafe { arch::first_argument(regs) };
    let errno = if error { (-ret) as u16 } else { 0 };
    account::add(cpu, &Finished { nr, row, latency_ns, errno }, Task::current, fd);
}

/// Its result is the register that the interrupted program had, not an error.
#[cfg(bpf_target_arch = "x86_64")]
const RT_SIGRETURN: u32 = 15;
#[cfg(bpf_target_arch = "aarch64")]
const RT_SIGRETURN: u32 = 139;

#[inline(always)]
fn count_failure(cpu: tables::CpuPtr, row: usize, ret: i64) {
    let Some(counts) = tables::row(cpu, row) else { return };
    if is_error(ret) {
        counts.errors += 1;
        tables::count_errno(cpu, row, (-ret) as u32);
    } else {
        counts.interrupted += 1;
    }
}

#[inline(always)]
fn count_before_start(cpu: tables::CpuPtr, row: usize) {
    // SAFETY: this CPU's block.
    unsafe { (*cpu).before_start += 1 };
    if let Some(counts) = tables::row(cpu, row) {
        counts.untimed += 1;
    }
}

/// A return without an entry.
///
/// # Safety
/// `regs` is a trusted `pt_regs`.
#[inline(always)]
unsafe fn unmatched(cpu: tables::CpuPtr, task: Task, regs: *const u8, ret: i64) {
    // SAFETY: promised by the caller.
    let nr = unsafe { arch::entered_with(regs) };
    let row = row(if task.in_compat_call() { nr | COMPAT } else { nr & !COMPAT });
    if on(&facts::SYSCALLS_ERRORS) && !is_error(ret) {
        return;
    }
    // Only the first return of a task that is older than we are can belong to an entry that we did not see.
    if task.start_ns() < facts::STARTED_NS.load() && tables::remember(cpu, task, Entry::default()) {
        if is_failure(ret) {
            count_failure(cpu, row, ret);
        }
        count_before_start(cpu, row);
    } else if task.under_seccomp() && is_error(ret) {
        // Refused by seccomp before `sys_enter` was reached.
        count_failure(cpu, row, ret);
        if let Some(counts) = tables::row(cpu, row) {
            counts.untimed += 1;
        }
    }
    // What is left is a new task, coming to user space for the first time after fork.
}

/// `sched_switch`.
#[inline(always)]
pub fn switch(switch: &Switch) {
    let Some(cpu) = tables::cpu() else { return };
    // SAFETY: this CPU's block.
    unsafe { (*cpu).switches += 1 };
    if on(&facts::SYSCALLS_EXACT) {
        spill(cpu, switch);
    }
    if on(&facts::SYSCALLS_BLOCKED) {
        // One reading of the clock for both: it is the dearest thing here, and this is one moment.
        let now_ns = wake(cpu, switch);
        sleep(cpu, switch, now_ns);
    }
    if switch.dead {
        tables::forget(switch.prev.key());
    }
}

/// Exact mode: the note of a call leaves the CPU with its task.
#[inline(always)]
fn spill(cpu: tables::CpuPtr, switch: &Switch) {
    // SAFETY: this CPU's slot.
    let call: &mut Call = unsafe { &mut (*cpu).call };
    if call.regs != 0 {
        let Call { start_ns, nr, tid, tgid, .. } = *call;
        call.regs = 0;
        if switch.dead {
            count_unreturned(cpu, nr);
        } else if !tables::store(switch.prev.key(), Entry { start_ns, nr, tid, tgid, pad: 0 }) {
            count_lost_start(cpu, nr);
        }
    } else if switch.dead
        && let Some(entry) = tables::take(switch.prev.key())
    {
        count_unreturned(cpu, entry.nr);
    }
}

#[inline(always)]
fn count_unreturned(cpu: tables::CpuPtr, nr: u32) {
    if on(&facts::SYSCALLS_ERRORS) {
        return;
    }
    if let Some(counts) = tables::row(cpu, row(nr)) {
        counts.unreturned += 1;
    }
}

/// Blocked mode: a user task goes to sleep inside a call. `at_ns` is now, or 0 if the clock was not read yet.
#[inline(always)]
fn sleep(cpu: tables::CpuPtr, switch: &Switch, at_ns: u64) {
    let task = switch.prev;
    if !switch.sleeps || !task.is_user() || !wanted(task) {
        return;
    }
    // SAFETY: a trusted user task.
    let Some(nr) = (unsafe { arch::inside_call(task.address()) }) else { return };
    let nr = if task.in_compat_call() { nr | COMPAT } else { nr & !COMPAT };
    let start_ns = if at_ns != 0 { at_ns } else { now_ns() };
    let entry = Entry { start_ns, nr, tid: task.tid(), tgid: task.tgid(), pad: 0 };
    if !tables::store(task.key(), entry) {
        count_lost_start(cpu, nr);
    }
}

/// The table of tasks is full: the call still counts, its latency is lost.
#[inline(always)]
fn count_lost_start(cpu: tables::CpuPtr, nr: u32) {
    tables::lose(cpu, Loss::Tasks);
    if let Some(counts) = tables::row(cpu, row(nr)) {
        counts.untimed += 1;
    }
}

/// Blocked mode: a task that slept inside a call runs again. Returns the moment, or 0 if it was not needed; not an `Option`,
/// whose empty half old verifiers see as a read of unwritten stack.
#[inline(always)]
fn wake(cpu: tables::CpuPtr, switch: &Switch) -> u64 {
    let task = switch.next;
    if !task.is_user() {
        return 0;
    }
    let Some(entry) = tables::take(task.key()) else { return 0 };
    let row = row(entry.nr);
    if entry.start_ns == BEFORE_START {
        count_before_start(cpu, row);
        return 0;
    }
    let at_ns = now_ns();
    let latency_ns = at_ns.wrapping_sub(entry.start_ns);
    tables::record(cpu, row, latency_ns);
    let call = Finished { nr: entry.nr, row, latency_ns, errno: 0 };
    // SAFETY: the task is inside a call, or was when it went to sleep: its registers are there.
    account::add(cpu, &call, || task, || unsafe { arch::first_argument_of(task.address()) });
    at_ns
}

/// The task iterator: a call that began before we were there is in flight, too.
#[inline(always)]
pub fn visit(task: Task) {
    // A running task's call is in a slot or will be counted when it returns.
    if task.on_cpu() || !task.is_user() || !wanted(task) {
        return;
    }
    // SAFETY: the iterator's tasks are trusted.
    let Some(nr) = (unsafe { arch::inside_call(task.address()) }) else { return };
    let Some(cpu) = tables::cpu() else { return };
    let nr = if task.in_compat_call() { nr | COMPAT } else { nr & !COMPAT };
    tables::remember(cpu, task, Entry { start_ns: BEFORE_START, nr, tid: task.tid(), tgid: task.tgid(), pad: 0 });
}
