//! What the `cpu` probe's programs need to know of the scheduler.

use super::{
    super::btf::{BtfError, KernelBtf},
    Facts,
};

/// (fact, where it was and is, in `task_struct`).
const NEEDED: &[(&str, &[&str])] = &[
    ("SE_RAN", &["se.sum_exec_runtime"]),
    ("SE_MIGRATIONS", &["se.nr_migrations"]),
    ("TASK_VOLUNTARY", &["nvcsw"]),
    ("TASK_INVOLUNTARY", &["nivcsw"]),
    ("TASK_CPU", &["thread_info.cpu", "cpu"]),
];

/// (fact, structure, member): all of them, or waits are not known.
const WAITS: &[(&str, &str, &str)] = &[
    ("SE_CFS", "task_struct", "se.cfs_rq"),
    ("CFS_RUNQUEUE", "cfs_rq", "rq"),
    ("RUNQUEUE_CLOCK", "rq", "clock"),
    ("SCHED_QUEUED", "task_struct", "sched_info.last_queued"),
    ("SCHED_ARRIVED", "task_struct", "sched_info.last_arrival"),
    ("SCHED_DELAY", "task_struct", "sched_info.run_delay"),
    ("SCHED_ARRIVALS", "task_struct", "sched_info.pcount"),
];

/// Waits in run queues can be measured.
pub const WAITS_KNOWN: &str = "CPU_WAITS";

impl Facts {
    /// Adds what the `cpu` probe needs.
    pub fn resolve_cpu(&mut self, btf: &KernelBtf) -> Result<(), BtfError> {
        for &(name, paths) in NEEDED {
            self.word(name, btf.member_any("task_struct", paths)?.offset);
        }
        let found: Result<Vec<_>, BtfError> =
            WAITS.iter().map(|&(name, of, path)| Ok((name, btf.member(of, path)?.offset))).collect();
        match found {
            Ok(found) => {
                found.into_iter().for_each(|(name, offset)| self.word(name, offset));
                self.switch(WAITS_KNOWN, 1);
            }
            Err(error) => self.lack("no waits in run queues", &error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{btf::fixture, facts::Facts};

    #[test]
    fn every_kernel_of_the_matrix_has_all_facts() {
        for kernel in fixture::KERNELS {
            let btf = fixture::open(kernel);
            let mut facts = Facts::resolve(&btf).unwrap();
            facts.resolve_cpu(&btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
            assert!(facts.missing.is_empty(), "{kernel}: {:?}", facts.missing);
            assert!(facts.is_on(super::WAITS_KNOWN), "{kernel}");
        }
    }
}
