//! `mm_vmscan_direct_reclaim_end(pages, …)`.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::oom::{Kind, Program};

use crate::probes::oom;

#[btf_tracepoint(function = "mm_vmscan_direct_reclaim_end")]
fn mm_vmscan_direct_reclaim_end(_ctx: BtfTracePointContext) -> i32 {
    oom::end(Program::DirectEnd, Kind::Direct);
    0
}
