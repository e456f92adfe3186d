//! What the `oom` probe's programs need to know of tasks, their memory, and the cgroups that it is charged to.

use super::{
    super::btf::{BtfError, KernelBtf},
    Facts,
};

/// (fact, structure, member).
const NEEDED: &[(&str, &str, &str)] = &[
    ("TASK_MM", "task_struct", "mm"),
    ("TASK_SIGNAL", "task_struct", "signal"),
    ("SIGNAL_OOM_MM", "signal_struct", "oom_mm"),
    ("SIGNAL_LIVE", "signal_struct", "live"),
    ("SIGNAL_ADJ", "signal_struct", "oom_score_adj"),
    ("MM_PGTABLES", "mm_struct", "pgtables_bytes"),
    ("MM_TOTAL_VM", "mm_struct", "total_vm"),
];

impl Facts {
    /// Adds what the `oom` probe needs.
    pub fn resolve_oom(&mut self, btf: &KernelBtf) -> Result<(), BtfError> {
        for &(name, of, path) in NEEDED {
            self.word(name, btf.member(of, path)?.offset);
        }
        // An array of counters (6.2), of which each has a total; before, a structure around an array of numbers.
        match btf.member("mm_rss_stat", "count") {
            Ok(count) => self.word("MM_PAGES", btf.member("mm_struct", "rss_stat")?.offset + count.offset),
            Err(error) if error.is_absence() => {
                let total = btf.member("percpu_counter", "count")?.offset;
                self.word("MM_PAGES", btf.member("mm_struct", "rss_stat")?.offset + total);
                self.word("MM_PAGES_STRIDE", btf.size_of("percpu_counter")?);
            }
            Err(error) => return Err(error),
        }
        match btf.member("task_struct", "in_memstall") {
            Ok(member) => {
                self.word("TASK_MEMSTALL", member.offset);
                self.half("MEMSTALL_BIT", member.bits.map_or(0, |bits| 1 << bits.shift));
            }
            Err(error) => self.lack("waits for swap and at memory.high are not seen", &error),
        }
        if let Err(error) = self.memory_controller(btf) {
            self.lack("limits of cgroups are not known", &error);
        }
        let first = btf.tracepoint("mark_victim")?.into_iter().next().unwrap_or_default();
        self.switch("MARK_HAS_TASK", first.contains("task_struct").into());
        self.switch("HAVE_EXIT_MMAP", btf.tracepoint("exit_mmap").is_ok().into());
        Ok(())
    }

    fn memory_controller(&mut self, btf: &KernelBtf) -> Result<(), BtfError> {
        let ids = btf.enum_values("cgroup_subsys_id")?;
        let id = ids.into_iter().find(|(name, _)| name == "memory_cgrp_id");
        let Some((_, id)) = id else {
            return Err(BtfError::NoType { what: "cgroup controller", name: "memory".into() });
        };
        // Distances from the subsystem state, which a `mem_cgroup` begins with.
        let start = btf.member("mem_cgroup", "css")?.offset;
        let from_css = |path| Ok::<_, BtfError>(btf.member("mem_cgroup", path)?.offset.wrapping_sub(start));
        let found = [
            ("MEMORY_USAGE", from_css("memory.usage")?),
            ("MEMORY_MAX", from_css("memory.max")?),
            ("MEMORY_FAILURES", from_css("memory.failcnt")?),
            ("MEMORY_CSS_CGROUP", btf.member("cgroup_subsys_state", "cgroup")?.offset),
            ("MEMORY_CSS_PARENT", btf.member("cgroup_subsys_state", "parent")?.offset),
            ("CSET_MEMORY", btf.member("css_set", "subsys")?.offset + id as u64 * 8),
        ];
        found.into_iter().for_each(|(name, offset)| self.word(name, offset));
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
            facts.resolve_oom(&btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
            assert!(facts.missing.is_empty(), "{kernel}: {:?}", facts.missing);
            assert!(facts.is_on("MARK_HAS_TASK"), "{kernel}");
            assert_eq!(facts.is_on("HAVE_EXIT_MMAP"), kernel != "5.10");
            let apart = facts.words.get("MM_PAGES_STRIDE").copied().unwrap_or(8);
            assert_eq!(apart, if ["5.10", "6.1"].contains(&kernel) { 8 } else { 40 }, "{kernel}");
        }
    }

    /// Reclaim and compaction are told by pairs whose arguments moved; the programs read none of them.
    #[test]
    fn every_kernel_of_the_matrix_has_all_pairs() {
        for kernel in fixture::KERNELS {
            let btf = fixture::open(kernel);
            for pair in ["mm_vmscan_direct_reclaim", "mm_vmscan_memcg_reclaim", "mm_compaction"] {
                for end in ["begin", "end"] {
                    let name = format!("{pair}_{end}");
                    assert!(btf.tracepoint(&name).is_ok(), "{kernel} {name}");
                }
            }
            let first = &btf.tracepoint("mm_vmscan_direct_reclaim_begin").unwrap()[0];
            assert_eq!(first, if kernel == "7.2" { "gfp_t" } else { "int" }, "{kernel}");
        }
    }
}
