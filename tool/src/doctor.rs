//! What stillwatch can do on this machine, what it can't, why, and what would help.
//!
//! Facts and reports come in as data; this room only writes them down. It works without root as far as they go.

mod json;
mod text;

use std::io::{self, Write};

use crate::kernel::features::{Availability, Features};

/// One place in the kernel that a probe attaches to, or of the host that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookReport {
    /// As in `tp_btf sched_switch`.
    pub hook: String,
    pub needed_for: String,
    pub state: Availability,
}

/// One probe on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    pub probe: String,
    pub state: Availability,
    pub hooks: Vec<HookReport>,
    /// Kernel memory that its maps take here.
    pub kernel_bytes: u64,
    /// And on a machine with 256 possible CPUs, the largest that is planned for.
    pub kernel_bytes_at_256_cpus: u64,
}

/// Writes the report: text within 80 columns, or one JSON object on one line.
pub fn run(json: bool, probes: &[ProbeReport], features: &Features, out: &mut dyn Write) -> io::Result<()> {
    if json {
        writeln!(out, "{}", json::object(probes, features))
    } else {
        out.write_all(text::page(probes, features).as_bytes())
    }
}

/// State as a word, and what is to be said about it.
fn words(state: &Availability) -> (&'static str, Option<&str>) {
    match state {
        Availability::Available => ("available", None),
        Availability::Degraded(lost) => ("degraded", Some(lost)),
        Availability::Unavailable(why) => ("unavailable", Some(why)),
    }
}

/// Why the lockdown mode is not known, where it is not.
const LOCKDOWN_UNKNOWN: &str = "securityfs is not mounted, or the kernel has no lockdown";

#[cfg(test)]
mod tests;
