//! stillwatch, seen as a corridor: data enters at the kernel and leaves at a sink, one way.
//!
//! ```text
//! hooks → maps → probes → Sample → Snapshot → names → findings → selection → sinks
//! (tool-ebpf)    kernel/, probes/   snapshot/   sinks/
//! ```
//!
//! - [`cli`]: raw flags become one checked [`cli::plan::Plan`]; [`asked`]: what of it a snapshot says, too.
//! - [`kernel`]: facts about this machine, and loading the programs. Together with [`probes`] the only rooms that know aya.
//! - [`probes`]: one room per probe, mirrored in `tool-ebpf/src/probes`: maps become a sample.
//! - [`sample`]: raw cumulative counts with their time; [`missing`]: what could not be counted; [`lead_up`]: memory before a kill; [`change`]: what a change is.
//! - [`between`]: from two samples to the snapshot of what happened between them. No I/O, no clock.
//! - [`snapshot`]: one interval, in tables.
//! - [`table`]: how the rows of snapshots are declared: a column once, for every sink.
//! - [`findings`]: rules over snapshots: what is wrong, in a sentence, and what was looked at and is fine.
//! - [`coarser`]: several intervals of a recording as one.
//! - [`selection`]: what of a snapshot was asked for.
//! - [`sinks`]: text, JSON; they know snapshots, never probes.
//! - [`names`]: pid, cgroup → name; [`attribution`] puts them onto snapshots; [`reasons`]: kernel stack → what a task waits for.
//! - [`engine`]: from samples and events to what sinks show. No I/O but names, no clock.
//! - [`record`]: what a run saw, kept in files and read back.
//! - [`report`]: what a recording has to tell of an incident, as one file; [`export`]: its tables, for other tools.
//! - [`screen`]: all of that, live or recorded, to look around in.
//! - [`constant`]: words of the sources, written and read back.
//! - [`log_line`]: what a line of a log says beside its text.
//! - [`oom_report`]: what the kernel's log says of a kill, line by line.
//! - [`for_tests`]: what only builds for tests can do.
//! - [`run`]: the only clock, and the loop around it all.

#[macro_use]
mod list;

pub mod asked;
pub mod attribution;
pub mod between;
pub mod change;
pub mod cli;
pub mod coarser;
pub mod constant;
#[cfg(test)]
mod docs;
pub mod doctor;
pub mod engine;
pub mod escape;
pub mod export;
pub mod findings;
mod for_tests;
pub mod format;
pub mod kernel;
pub mod lead_up;
pub mod log_line;
pub mod missing;
pub mod names;
pub mod oom_report;
pub mod probes;
pub mod reasons;
pub mod record;
pub mod report;
pub mod run;
pub mod sample;
pub mod screen;
pub mod selection;
pub mod sinks;
pub mod snapshot;
pub mod syscall_names;
pub mod table;
