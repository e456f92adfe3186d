//! Who has run since the last tick, and who waits now.
//!
//! Kernels with delayed dequeueing (6.12) leave a task that goes to sleep in its run queue for a moment. If it is moved to another
//! CPU in that moment, the kernel stamps it as one that begins to wait, and the stamp stays while it sleeps: its next wait
//! looks as long as its sleep. It is noted when it is moved ([`super::migrate`]), or when it is found asleep with a stamp from before the
//! run; [`super::waits`] leaves that wait out.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use stillwatch_common::cpu::Walked;

use super::{clock::runqueue_at, ended::times, tables};
use crate::support::{
    opaque,
    task::{TASK_DEAD, Task, waits_are_known},
};

/// Tasks are walked over one after the other: what they did meanwhile is in one interval or the next.
const SLACK_NS: u64 = 50_000_000;

/// # Safety
/// `output` is the iterator's.
#[inline(always)]
pub unsafe fn walk(output: *mut c_void, task: Task) {
    let Some(shared) = tables::shared() else { return };
    // SAFETY: a map value.
    let (walked_ns, before_ns, walks) = unsafe { ((*shared).walked_ns, (*shared).walked_before_ns, (*shared).walks) };
    // Younger ones belong to the next interval, and so do those about to leave their CPU for the last time.
    if task.is_idle() || task.start_ns() > walked_ns || task.state() & TASK_DEAD != 0 {
        return;
    }
    let mut walked = Walked { task: task.key(), start_ns: task.start_ns(), cpu: task.cpu(), ..Walked::default() };
    let Some(cpu) = tables::cpu_of(walked.cpu) else { return };
    let runs = task.on_cpu();
    let ran_before = ran_at_walk(cpu, walks, &walked, runs);
    if waits_are_known() {
        let now = runqueue_at(cpu, task, walked_ns);
        let queued = task.queued();
        let here_ns = now.wrapping_sub(queued);
        if queued != 0 && !runs && task.is_asleep() {
            tables::note_stale(task);
            // Not one that began to wait after the tick.
        } else if queued != 0 && !runs && here_ns as i64 > 0 && !tables::is_stale(task) {
            let waits_ns = here_ns.wrapping_add(tables::waits_elsewhere(task)) as i64;
            walked.waits_ns = if waits_ns > 0 { waits_ns as u64 } else { 0 };
        }
        let since_ns = walked_ns.wrapping_sub(before_ns).wrapping_add(SLACK_NS);
        let slept = queued == 0 && !runs && now.wrapping_sub(task.arrived()) as i64 > since_ns as i64;
        if before_ns != 0 && slept && !ran_before {
            return;
        }
    }
    walked.owner = task.owner();
    walked.times = times(task);
    walked.migrations = task.migrations();
    walked.tid = task.tid();
    walked.runs = runs.into();
    walked.kernel_thread = task.is_kernel_thread().into();
    walked.scheduling = task.scheduling();
    // SAFETY: 16 bytes, aligned as words.
    unsafe { (&raw mut walked.comm).cast::<[u64; 2]>().write_unaligned(task.comm()) };
    // SAFETY: promised by the caller; the kernel asks again where its buffer was full.
    unsafe { bpf_seq_write(output.cast(), (&raw const walked).cast(), size_of::<Walked>() as u32) };
}

/// Whether the task ran on its CPU at the last walk: it may have gone to sleep since then without having been given one anew.
/// Notes those that run at this walk.
#[inline(always)]
fn ran_at_walk(cpu: tables::CpuPtr, walks: u64, walked: &Walked, runs: bool) -> bool {
    // SAFETY: a map value, and its indexes are masked.
    unsafe {
        let ran = &raw mut (*cpu).ran;
        let last = (*ran)[opaque(walks as usize + 1) & 1];
        let this = &raw mut (*ran)[opaque(walks as usize) & 1];
        if runs {
            this.write_volatile(walked.task);
        }
        last == walked.task
    }
}
