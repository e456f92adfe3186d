//! `exit_mmap(mm)`: the memory of a process is free. Since 6.1.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::probes::oom;

#[btf_tracepoint(function = "exit_mmap")]
fn exit_mmap(ctx: BtfTracePointContext) -> i32 {
    // Its address only.
    oom::freed(ctx.arg::<*const u8>(0) as u64);
    0
}
