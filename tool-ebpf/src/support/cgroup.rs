//! Cgroups of tasks. What a program hands us of one is an address; all fields are read through helpers.

use super::{memory, task::Task};
use crate::facts;

impl Task {
    /// Id of its cgroup on the unified hierarchy, 0 where that is not known. Not `bpf_get_current_cgroup_id`: at a change of
    /// tasks the current one is still the one that leaves.
    #[inline(always)]
    pub fn cgroup_id(self) -> u64 {
        let cgroup = || memory::read::<u64>(self.css_set(), facts::CSET_DEFAULT.get()?);
        cgroup().and_then(id_of_cgroup).unwrap_or(0)
    }

    /// In or below the cgroup whose directory has this kernfs id.
    #[inline(always)]
    pub fn is_below(self, id: u64) -> bool {
        self.finds_above(id).is_some()
    }

    #[inline(always)]
    fn finds_above(self, id: u64) -> Option<()> {
        let (parent_at, cgroup_at) = (facts::CGROUP_PARENT.get()?, facts::PARENT_CGROUP.get()?);
        let mut cgroup: u64 = memory::read(self.css_set(), facts::CSET_CGROUP.get()?)?;
        if let Some(offset) = facts::CSS_CGROUP.get() {
            cgroup = memory::read_or_zero(cgroup, offset);
        }
        // Deeper trees than this are not known, and the verifier wants an end.
        for _ in 0..12 {
            if id_of_cgroup(cgroup)? == id {
                return Some(());
            }
            cgroup = memory::read_or_zero(memory::read_or_zero(cgroup, parent_at), cgroup_at);
        }
        None
    }
}

/// Number of a cgroup's directory.
#[inline(always)]
pub fn id_of_cgroup(cgroup: u64) -> Option<u64> {
    memory::read(memory::read(cgroup, facts::CGROUP_KN.get()?)?, facts::KN_ID.get()?)
}
