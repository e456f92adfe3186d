//! One room per probe, by the probe's name. Probes do not know each other.

pub mod cpu;
pub mod disk;
pub mod filter;
pub mod io;
pub mod oom;
pub mod syscalls;
pub mod tcp;
