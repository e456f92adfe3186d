//! `mm_vmscan_memcg_reclaim_begin(order, gfp)`, in other order on new kernels: a task begins to take pages away from a cgroup.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::oom::{Kind, Program};

use crate::probes::oom;

#[btf_tracepoint(function = "mm_vmscan_memcg_reclaim_begin")]
fn mm_vmscan_memcg_reclaim_begin(_ctx: BtfTracePointContext) -> i32 {
    oom::begin(Program::MemcgBegin, Kind::Memcg);
    0
}
