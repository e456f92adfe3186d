//! `sys_exit(regs, ret)`: a task leaves a system call, or comes to user space for the first time after fork.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::syscalls;

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a trusted `pt_regs`.
    unsafe { syscalls::exit(ctx.arg(0), ctx.arg(1)) };
    0
}
