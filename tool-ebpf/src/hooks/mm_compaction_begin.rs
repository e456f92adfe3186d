//! `mm_compaction_begin(…)`: a task begins to move pages of one zone together. Its arguments changed; none is needed.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use stillwatch_common::oom::{Kind, Program};

use crate::probes::oom;

#[btf_tracepoint(function = "mm_compaction_begin")]
fn mm_compaction_begin(_ctx: BtfTracePointContext) -> i32 {
    oom::begin(Program::CompactionBegin, Kind::Compaction);
    0
}
