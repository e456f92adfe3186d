//! `sched_switch(preempt, prev, next[, prev_state])`: a CPU changes from one task to another, with interrupts off.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    facts,
    probes::{cpu, io, oom, syscalls},
    support::{
        switch::Switch,
        task::{TASK_DEAD, Task},
    },
};

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    let preempted = ctx.arg::<u64>(0) & 0xff != 0;
    // SAFETY: arguments 1 and 2 are trusted tasks.
    let (prev, next) = unsafe { (Task::trusted(ctx.arg(1)), Task::trusted(ctx.arg(2))) };
    let state = if facts::HAVE_PREV_STATE.is_there() { ctx.arg::<u32>(3) } else { prev.state() };
    let dead = state & TASK_DEAD != 0;
    #[cfg(feature = "log")]
    if dead {
        aya_log_ebpf::debug!(&ctx, "task {} of process {} has ended", prev.tid(), prev.tgid());
    }
    let sleeps = state != 0 && !preempted && !dead;
    let switch = Switch { prev, next, prev_tid: prev.tid(), next_tid: next.tid(), state, sleeps, dead };
    if facts::on(&facts::CPU_TIMES) {
        let slept_ns = cpu::switch(&switch);
        if facts::on(&facts::SYSCALLS_LONG) {
            syscalls::slept(next, slept_ns);
        }
    }
    if facts::on(&facts::SYSCALLS_EXACT) || facts::on(&facts::SYSCALLS_BLOCKED) {
        syscalls::switch(&switch);
    }
    if facts::on(&facts::IO_WHO) {
        io::switch(&switch);
    }
    if facts::on(&facts::OOM_SLEEPS) {
        oom::switch(&switch);
    }
    0
}
