//! Who is killed, because of whom, and when the memory is free.

use core::ffi::c_void;

use stillwatch_common::oom::{self, Kill, Program, Progress, Signal, Step};

use super::{
    cgroups,
    residents::pages,
    tables::{self, CpuPtr},
};
use crate::{
    facts,
    support::{count::add_shared, memory::read_or_zero, now_ns, task::Task},
};

/// `mark_victim`.
///
/// # Safety
/// `ctx` is the context of that tracepoint.
#[inline(always)]
pub unsafe fn mark(ctx: *mut c_void) {
    let Some(cpu) = tables::cpu(Program::Mark) else { return };
    // SAFETY: a map value.
    unsafe { add_shared(&raw mut (*cpu).kills, 1) };
    let Some(mut room) = tables::room::<Kill>(cpu) else { return };
    let kill = room.as_mut_ptr();
    // SAFETY: room in the ring, of which every field is written; argument 0 is a trusted task where the fact says so.
    unsafe {
        (*kill).at_ns = now_ns();
        fill(&raw mut (*kill).trigger, Task::current());
        if facts::MARK_HAS_TASK.is_there() {
            let victim = Task::trusted(*ctx.cast::<*const u8>());
            (*kill).uid = *ctx.cast::<u64>().add(1) as u32;
            of_task(cpu, kill, victim);
        } else {
            // Only its number: the rest is in the kernel's log.
            let pid = *ctx.cast::<u64>() as u32;
            kill.cast::<[u64; size_of::<Kill>() / 8]>().write([0; size_of::<Kill>() / 8]);
            (*kill).at_ns = now_ns();
            fill(&raw mut (*kill).trigger, Task::current());
            (*kill).victim.tid = pid;
        }
    }
    room.submit(0);
}

/// # Safety
/// `kill` is room in the ring.
#[inline(always)]
unsafe fn of_task(cpu: CpuPtr, kill: *mut Kill, victim: Task) {
    let (mm, signal) = (victim.mm(), victim.signal());
    let memory = cgroups::of(victim);
    let limit = cgroups::limit(memory, true);
    // SAFETY: promised by the caller.
    unsafe {
        fill(&raw mut (*kill).victim, victim);
        ((*kill).have_task, (*kill).mm) = (1, mm);
        (*kill).tells_free = facts::HAVE_EXIT_MMAP.is_there().into();
        pages(mm, &raw mut (*kill).pages);
        (*kill).pgtables_bytes = read_or_zero(mm, facts::MM_PGTABLES.load());
        (*kill).total_vm_pages = read_or_zero(mm, facts::MM_TOTAL_VM.load());
        (*kill).oom_score_adj = read_or_zero::<i16>(signal, facts::SIGNAL_ADJ.load()).into();
        ((*kill).limit_cgroup, (*kill).usage_pages) = (limit.cgroup, limit.usage_pages);
        (*kill).limit_pages = limit.limit_pages;
    }
    if facts::HAVE_EXIT_MMAP.is_there() {
        tables::add_victim(cpu, mm, victim.tid());
    }
}

/// # Safety
/// `to` is writable.
#[inline(always)]
unsafe fn fill(to: *mut oom::Task, task: Task) {
    let memory = cgroups::of(task);
    // SAFETY: promised by the caller; the name is 16 bytes, aligned as words.
    unsafe {
        (*to).owner = task.owner();
        ((*to).cgroup, (*to).memory_cgroup) = (task.cgroup_id(), cgroups::id(memory));
        (&raw mut (*to).comm).cast::<[u64; 2]>().write(task.comm());
        ((*to).tid, (*to).kernel_thread) = (task.tid(), task.is_kernel_thread().into());
    }
}

/// `finish_task_reaping`.
#[inline(always)]
pub fn reaped(pid: u32) {
    if let Some(cpu) = tables::cpu(Program::Reaped) {
        tell(cpu, pid, Step::Reaped);
    }
}

/// `sched_process_exit`, of every task of the host.
#[inline(always)]
pub fn exit(task: Task) {
    let Some(cpu) = tables::cpu(Program::Exit) else { return };
    let signal = task.signal();
    if read_or_zero::<u64>(signal, facts::SIGNAL_OOM_MM.load()) == 0 {
        return;
    }
    // The last thread.
    if read_or_zero::<u32>(signal, facts::SIGNAL_LIVE.load()) == 0 {
        tell(cpu, task.tgid(), Step::Exited);
    }
}

/// `exit_mmap`, of every process of the host.
#[inline(always)]
pub fn freed(mm: u64) {
    let Some(cpu) = tables::cpu(Program::Freed) else { return };
    if let Some(pid) = tables::take_victim(mm) {
        tell(cpu, pid, Step::Freed);
    }
}

#[inline(always)]
fn tell(cpu: CpuPtr, pid: u32, step: Step) {
    if let Some(mut room) = tables::room::<Progress>(cpu) {
        room.write(Progress { at_ns: now_ns(), pid, step: step as u32 });
        room.submit(0);
    }
}

const SIGKILL: u32 = 9;

/// `signal_generate`.
#[inline(always)]
pub fn signal(signal: u32, target: Task) {
    let Some(cpu) = tables::cpu(Program::Signal) else { return };
    if signal != SIGKILL {
        return;
    }
    let Some(mut room) = tables::room::<Signal>(cpu) else { return };
    let told = room.as_mut_ptr();
    // SAFETY: room in the ring, of which every field is written.
    unsafe {
        (*told).at_ns = now_ns();
        fill(&raw mut (*told).sender, Task::current());
        fill(&raw mut (*told).target, target);
    }
    room.submit(0);
}
