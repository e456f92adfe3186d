//! From kernel types to the read-only globals of `tool-ebpf/src/facts.rs`, name by name.

mod cpu;
mod io;
mod oom;
mod tcp;

pub use cpu::WAITS_KNOWN;
pub use tcp::Reasons;

use std::collections::BTreeMap;

use super::btf::{BtfError, KernelBtf, Member};

/// An offset that this kernel does not have; `ABSENT` on the kernel side.
const ABSENT: u64 = u64::MAX;

/// Where the current task's saved registers lie, counted from the top of its stack, on kernels that need to be told
/// (before 5.15): 16 KiB stacks without padding, and `struct pt_regs` right below their end.
const OLD_STACK: u64 = 16 * 1024;

/// What was found out, and what stays unknown.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    words: BTreeMap<&'static str, u64>,
    halves: BTreeMap<&'static str, u32>,
    switches: BTreeMap<&'static str, u8>,
    /// Facts that this kernel does not have, and what is lost without them.
    pub missing: Vec<(&'static str, String)>,
}

impl Facts {
    /// Resolves everything the programs need. An error means that no program can work; what merely costs a feature is
    /// in [`Facts::missing`].
    pub fn resolve(btf: &KernelBtf) -> Result<Self, BtfError> {
        let mut facts = Self::default();
        for (name, of, paths) in NEEDED {
            facts.words.insert(name, btf.member_any(of, paths)?.offset);
        }
        for (group, lost) in OPTIONAL {
            match group.iter().map(|&(name, of, path)| Ok((name, btf.member(of, path)?.offset))).collect() {
                Ok(offsets) => facts.words.extend::<Vec<(&str, u64)>>(offsets),
                Err(error) => facts.lack(lost, &error),
            }
        }
        facts.compat(btf);
        facts.word("STACK_REGS", OLD_STACK - btf.size_of("pt_regs")?);

        let helpers: Vec<String> =
            btf.enum_values("bpf_func_id").unwrap_or_default().into_iter().map(|(name, _)| name).collect();
        let has = |name: &str| u8::from(helpers.iter().any(|helper| helper == name));
        facts.switch("HAVE_CURRENT_BTF", has("BPF_FUNC_get_current_task_btf"));
        facts.switch("HAVE_TASK_PT_REGS", has("BPF_FUNC_task_pt_regs"));
        facts.switch("HAVE_PREV_STATE", u8::from(btf.tracepoint("sched_switch")?.len() >= 4));
        Ok(facts)
    }

    /// The bit that says "inside a 32-bit call": `TS_COMPAT` of the thread's status on x86, `TIF_32BIT` on arm64.
    fn compat(&mut self, btf: &KernelBtf) {
        let (path, bit) =
            if cfg!(target_arch = "aarch64") { ("thread_info.flags", 1 << 22) } else { ("thread_info.status", 2) };
        match btf.member("task_struct", path) {
            Ok(Member { offset, .. }) => {
                self.word("TASK_COMPAT", offset);
                self.half("COMPAT_BIT", bit);
            }
            Err(error) => self.lack("32-bit calls appear under 64-bit names", &error),
        }
    }

    /// Takes over what was found out for one probe more.
    pub fn add(&mut self, more: &Self) {
        self.words.extend(&more.words);
        self.halves.extend(&more.halves);
        self.switches.extend(&more.switches);
        for missing in &more.missing {
            if !self.missing.contains(missing) {
                self.missing.push(missing.clone());
            }
        }
    }

    fn lack(&mut self, lost: &'static str, error: &BtfError) {
        self.missing.push((lost, error.to_string()));
    }

    pub fn word(&mut self, name: &'static str, value: u64) {
        self.words.insert(name, value);
    }

    pub fn half(&mut self, name: &'static str, value: u32) {
        self.halves.insert(name, value);
    }

    pub fn switch(&mut self, name: &'static str, value: u8) {
        self.switches.insert(name, value);
    }

    /// Whether an optional offset is known.
    pub fn has(&self, name: &str) -> bool {
        self.words.get(name).is_some_and(|&offset| offset != ABSENT)
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.switches.get(name).is_some_and(|&switch| switch != 0)
    }

    /// Hands every fact to the loader. A name that the programs do not have is a mistake of ours, and an error at load.
    pub fn hand_over<'a>(&'a self, loader: &mut aya::EbpfLoader<'a>) {
        for (name, value) in &self.words {
            loader.override_global(name, value, true);
        }
        for (name, value) in &self.halves {
            loader.override_global(name, value, true);
        }
        for (name, value) in &self.switches {
            loader.override_global(name, value, true);
        }
    }
}

type Fact = (&'static str, &'static str, &'static str);

/// Without these there is nothing to see. Several paths: the kernel renamed the member.
const NEEDED: &[(&str, &str, &[&str])] = &[
    ("TASK_PID", "task_struct", &["pid"]),
    ("TASK_TGID", "task_struct", &["tgid"]),
    ("TASK_FLAGS", "task_struct", &["flags"]),
    ("TASK_STATE", "task_struct", &["__state", "state"]),
    ("TASK_STACK", "task_struct", &["stack"]),
    ("TASK_COMM", "task_struct", &["comm"]),
    ("TASK_LEADER", "task_struct", &["group_leader"]),
    ("TASK_ON_CPU", "task_struct", &["on_cpu"]),
    ("TASK_START", "task_struct", &["start_time"]),
];

/// Facts that belong together, and what is lost without them.
const OPTIONAL: &[(&[Fact], &str)] = &[
    (&[("TASK_SECCOMP", "task_struct", "seccomp.mode")], "calls that seccomp refuses are not counted"),
    (
        &[
            ("TASK_FILES", "task_struct", "files"),
            ("FILES_FDT", "files_struct", "fdt"),
            ("FDT_FD", "fdtable", "fd"),
            ("FILE_INODE", "file", "f_inode"),
            ("INODE_MODE", "inode", "i_mode"),
            ("INODE_SUPER", "inode", "i_sb"),
            ("INODE_RDEV", "inode", "i_rdev"),
            ("SUPER_DEV", "super_block", "s_dev"),
        ],
        "reads that wait by design appear among the slow calls",
    ),
    (
        &[
            ("TASK_CGROUPS", "task_struct", "cgroups"),
            ("CSET_DEFAULT", "css_set", "dfl_cgrp"),
            ("CSET_CGROUP", "css_set", "dfl_cgrp"),
            ("CGROUP_PARENT", "cgroup", "self.parent"),
            ("PARENT_CGROUP", "cgroup_subsys_state", "cgroup"),
            ("CGROUP_KN", "cgroup", "kn"),
            ("KN_ID", "kernfs_node", "id"),
        ],
        "no filter by cgroup, and no cgroup for processes that have ended",
    ),
];

/// Points the cgroup filter at a v1 controller: from a task's `css_set` through `subsys[id]`.
pub fn through_controller(facts: &mut Facts, btf: &KernelBtf, controller: &str) -> Result<(), BtfError> {
    let ids = btf.enum_values("cgroup_subsys_id")?;
    // The one controller whose mount option is not its name in the kernel.
    let wanted = format!("{}_cgrp_id", if controller == "blkio" { "io" } else { controller });
    let id = ids.into_iter().find(|(name, _)| *name == wanted);
    let Some((_, id)) = id else { return Err(BtfError::NoType { what: "cgroup controller", name: controller.into() }) };
    facts.word("CSET_CGROUP", btf.member("css_set", "subsys")?.offset + id as u64 * 8);
    facts.word("CSS_CGROUP", btf.member("cgroup_subsys_state", "cgroup")?.offset);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::fixture;

    #[test]
    fn every_kernel_of_the_matrix_has_all_facts() {
        for kernel in fixture::KERNELS {
            let facts = Facts::resolve(&fixture::open(kernel)).unwrap_or_else(|error| panic!("{kernel}: {error}"));
            assert!(facts.missing.is_empty(), "{kernel}: {:?}", facts.missing);
            let modern = kernel != "5.10";
            for fact in ["HAVE_CURRENT_BTF", "HAVE_TASK_PT_REGS", "HAVE_PREV_STATE"] {
                assert_eq!(facts.is_on(fact), modern, "{kernel} {fact}");
            }
        }
    }
}
