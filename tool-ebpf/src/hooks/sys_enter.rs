//! `sys_enter(regs, id)`: a task enters a system call. Not fired for calls that ptrace or seccomp refuse.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::syscalls;

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    syscalls::enter(ctx.arg::<*const u8>(0) as u64, ctx.arg::<u64>(1) as u32);
    0
}
