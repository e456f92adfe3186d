//! Which process did the kernel kill for want of memory, because of whom, and when was the memory free? Who waits for memory?
//!
//! [`kills`]: at `mark_victim` the current task is the one that needed memory; the victim is the argument. [`stalls`]: reclaim and
//! compaction, between two tracepoints each in the context of the task that waits, and sleeps that the kernel's pressure
//! accounting calls a memory stall. [`residents`]: what memory each process holds, read by user space at its ticks.
//!
//! Hooks: `mark_victim`, `finish_task_reaping`, `exit_mmap`, `sched_process_exit`; pairs of `mm_vmscan_direct_reclaim`,
//! `mm_vmscan_memcg_reclaim`, `mm_compaction`; `sched_switch`; the task iterator; `signal_generate` on request.
//! Maps: [`tables`]. Cost: nothing where memory is enough, but two loads per switch, one look-up per process that ends, and some
//! 0.5 µs per process and tick for the iterator. Per reclaim or compaction an entry added and removed, and an account looked up.
//! Blind spots: `docs/probes/oom.md`.

mod cgroups;
mod kills;
mod residents;
mod stalls;
mod tables;

pub use kills::{exit, freed, mark, reaped, signal};
pub use residents::resident;
pub use stalls::{begin, end, switch};
