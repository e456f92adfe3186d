//! One room per probe, mirrored in `tool-ebpf/src/probes`: which hooks it needs, how large its maps are, and how their
//! contents become its part of a sample.

pub mod changes;
pub mod cpu;
pub mod disk;
pub mod examine;
pub mod filter;
mod hash_table;
pub mod io;
mod journalctl;
mod kernel_log;
pub mod log;
mod mounts;
pub mod oom;
pub mod syscalls;
pub mod tcp;

use std::rc::Rc;

use aya::Ebpf;

use crate::{
    cli::plan::Plan,
    kernel::{
        facts::Facts,
        loader::{Hook, LoadError},
    },
    names::Names,
    sample::{Moment, ReasonNames},
    snapshot::Lost,
};

/// What has to be known of a probe before it runs.
pub struct Probe {
    pub name: &'static str,
    /// Prefix of its maps' names.
    pub maps: &'static str,
    /// Maps that hold an entry for each possible CPU.
    pub per_processor: &'static [&'static str],
    /// In the order in which they are attached.
    pub hooks: fn(&Plan) -> Vec<Hook>,
    /// Sizes of the maps that depend on the machine and the plan.
    pub entries: fn(&Plan, processors: u32) -> Vec<(&'static str, u32)>,
    /// Switches and thresholds of the programs.
    pub set: fn(&Plan, &mut Facts),
    pub reads: fn() -> Vec<Readable>,
}

/// Something of the host that need not be there.
pub struct Readable {
    pub from: &'static str,
    pub needed_for: &'static str,
    pub can: Result<(), String>,
}

/// What a probe's maps say beside its sample, since attach.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Runs of each program, by its name.
    pub runs: Vec<(&'static str, u64)>,
    pub lost: Vec<Lost>,
}

impl Probe {
    /// One that reads what the kernel or the host keeps anyway.
    pub const fn without_hooks(name: &'static str, maps: &'static str) -> Self {
        Self {
            name,
            maps,
            per_processor: &[],
            hooks: |_| Vec::new(),
            entries: |_, _| Vec::new(),
            set: |_, _| {},
            reads: Vec::new,
        }
    }

    /// Whether it has hooks or not: what the kernel shows anyway needs none.
    pub fn runs(&self, plan: &Plan) -> bool {
        plan.probes().contains(&self.name)
    }
}

/// From a probe's maps to its part of a sample.
pub trait Read: Sized {
    type Plan;
    type Part;

    /// Takes over the probe's maps and fills those that user space fills. Before the programs are attached.
    fn open(ebpf: &mut Ebpf, plan: &Self::Plan, with: &With) -> Result<Self, LoadError>;

    /// At a tick, and once right after the programs are attached.
    fn read(&mut self, tick: &mut Tick) -> std::io::Result<(Self::Part, Counters)>;
}

/// What readers need to know of the machine.
pub struct With<'a> {
    pub processors: usize,
    pub facts: &'a Facts,
    pub reasons: &'a Rc<ReasonNames>,
    /// Hooks that a run does without, and why.
    pub refused: &'a [(Hook, String)],
    /// After a walk over all tasks of a large host, so many times as long without one.
    pub rest: u32,
}

impl With<'_> {
    /// Why a run does without this hook.
    pub fn why_not(&self, name: &str) -> Option<String> {
        self.refused.iter().find(|(hook, _)| hook.name == name).map(|(hook, why)| format!("{hook}: {why}"))
    }
}

/// What readers need at a tick.
pub struct Tick<'a> {
    pub ebpf: &'a mut Ebpf,
    pub names: &'a mut Names,
    pub now: Moment,
    /// What waits for more to be known is told now.
    pub last: bool,
}

macro_rules! all {
    ($($probe:ident: $_part:ident),*) => {
        /// Every probe there is.
        pub static ALL: &[Probe] = &[$($probe::PROBE),*];

        #[cfg(test)]
        fn causes() -> Vec<&'static str> {
            [$($probe::causes()),*].concat()
        }
    };
}

probes!(all);

/// Which of the probes of a plan can't do without such a hook.
pub fn in_need_of(plan: &Plan, is_such: impl Fn(&Hook) -> bool) -> Vec<&'static str> {
    let needs = |probe: &&Probe| (probe.hooks)(plan).iter().any(|own| is_such(own) && !own.optional);
    ALL.iter().filter(needs).map(|probe| probe.name).collect()
}

/// The total behind the slash in `/proc/loadavg`.
fn living_tasks() -> u32 {
    let tasks = || std::fs::read_to_string("/proc/loadavg").ok()?.split(['/', ' ']).nth(4)?.parse().ok();
    tasks().unwrap_or(0)
}

fn page_bytes() -> u32 {
    // SAFETY: no precondition.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Command, Surroundings, parse_from},
        kernel::{loader::OBJECT, memory},
    };

    /// What is promised (BUDGET.md).
    #[test]
    fn the_overview_has_little_memory_on_a_large_machine() {
        const PROCESSORS: u32 = 256;
        let plan = match parse_from(["stillwatch"], Surroundings::default(), |_| Err(String::new())) {
            Ok(Command::Run(plan)) => *plan,
            _ => panic!("no plan"),
        };
        let entries: Vec<_> = ALL.iter().flat_map(|probe| (probe.entries)(&plan, PROCESSORS)).collect();
        let per_processor: Vec<_> = ALL.iter().flat_map(|probe| probe.per_processor).copied().collect();
        let maps = memory::maps(OBJECT, &entries, &per_processor, PROCESSORS).unwrap();
        let bytes: u64 = maps.iter().map(|map| map.bytes(PROCESSORS.into())).sum();
        assert!(bytes <= 24 << 20, "{bytes}");
    }

    /// A run of several probes tells losses of one sample from those of the next by their name.
    #[test]
    fn no_two_losses_share_a_name() {
        let mut all = causes();
        all.push(crate::kernel::cost::RUNNING);
        all.sort_unstable();
        assert_eq!(all.iter().zip(&all[1..]).find(|(a, b)| a == b), None);
    }
}
