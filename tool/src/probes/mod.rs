//! One room per probe, mirrored in `tool-ebpf/src/probes`: which hooks it needs, how large its maps are, and how their
//! contents become its part of a sample.

pub mod cpu;
pub mod examine;
pub mod filter;
pub mod io;
pub mod oom;
pub mod syscalls;
mod table;
pub mod tcp;

use crate::{
    cli::plan::Plan,
    kernel::{
        btf::{BtfError, KernelBtf},
        facts::Facts,
        loader::Hook,
    },
    snapshot::Lost,
};

/// What has to be known of a probe before it runs.
pub struct Probe {
    pub name: &'static str,
    /// Prefix of its maps' names.
    pub maps: &'static str,
    /// Maps that hold an entry for each possible processor.
    pub per_processor: &'static [&'static str],
    /// In the order in which they are attached.
    pub hooks: fn(&Plan) -> Vec<Hook>,
    /// Sizes of the maps that depend on the machine and the plan.
    pub entries: fn(&Plan, processors: u32) -> Vec<(&'static str, u32)>,
    /// What its programs need to know of the kernel, beyond what all need.
    pub resolve: fn(&mut Facts, &KernelBtf) -> Result<(), BtfError>,
    /// Switches and thresholds of the programs.
    pub set: fn(&Plan, &mut Facts),
}

/// What a probe's maps say beside its sample, since attach.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Runs of each program, by its name.
    pub runs: Vec<(&'static str, u64)>,
    pub lost: Vec<Lost>,
}

impl Probe {
    pub fn runs(&self, plan: &Plan) -> bool {
        !(self.hooks)(plan).is_empty()
    }
}

/// Every probe there is.
pub static ALL: &[Probe] = &[syscalls::PROBE, io::PROBE, tcp::PROBE, oom::PROBE, cpu::PROBE];

/// The total behind the slash in `/proc/loadavg`.
fn living_tasks() -> u32 {
    let tasks = || std::fs::read_to_string("/proc/loadavg").ok()?.split(['/', ' ']).nth(4)?.parse().ok();
    tasks().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of several probes tells losses of one sample from those of the next by their name.
    #[test]
    fn no_two_losses_share_a_name() {
        let mut all = [syscalls::causes(), io::causes(), tcp::causes(), oom::causes(), cpu::causes()].concat();
        all.push(crate::kernel::cost::RUNNING);
        all.sort_unstable();
        assert_eq!(all.iter().zip(&all[1..]).find(|(a, b)| a == b), None);
    }
}
