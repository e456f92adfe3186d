//! `mm_compaction_end(…)`.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::oom::{Kind, Program};

use crate::probes::oom;

#[btf_tracepoint(function = "mm_compaction_end")]
fn mm_compaction_end(_ctx: BtfTracePointContext) -> i32 {
    oom::end(Program::CompactionEnd, Kind::Compaction);
    0
}
