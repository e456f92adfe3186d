//! From kernel types to what the programs are told before they are loaded: `stillwatch_common::facts` declares it all.

mod formula;

use std::{collections::BTreeMap, marker::PhantomData};

use stillwatch_common::facts::{BitField, Flag, Number, Offset, Presence};

use self::formula::Solve;
use super::btf::{BtfError, KernelBtf};
use crate::for_tests;

/// What was found out, and what stays unknown.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    values: BTreeMap<&'static str, GlobalValue>,
    /// Facts that this kernel does not have, and what is lost without them.
    pub missing: Vec<(&'static str, String)>,
}

/// A global of the programs.
pub struct Global<T> {
    name: &'static str,
    of: PhantomData<T>,
}

impl<T> Global<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }
}

/// What the programs' global holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GlobalValue {
    Byte(u8),
    Half(u32),
    Word(u64),
}

impl From<u8> for GlobalValue {
    fn from(value: u8) -> Self {
        Self::Byte(value)
    }
}

impl From<u32> for GlobalValue {
    fn from(value: u32) -> Self {
        Self::Half(value)
    }
}

impl From<u64> for GlobalValue {
    fn from(value: u64) -> Self {
        Self::Word(value)
    }
}

impl From<BitField> for GlobalValue {
    fn from(value: BitField) -> Self {
        Self::Word(value.word())
    }
}

impl From<Flag> for GlobalValue {
    fn from(value: Flag) -> Self {
        Self::Word(value.mask())
    }
}

/// Facts that are there for the same purpose.
struct FactGroup {
    /// Who needs them; `every` probe.
    of: &'static str,
    policy: Policy,
    lost: Option<&'static str>,
    facts: &'static [Declared],
}

enum Policy {
    Needed,
    OneOf,
    Optional,
}

struct Declared {
    name: &'static str,
    formulas: &'static [&'static str],
    solve: fn(&KernelBtf, &str) -> Result<Option<GlobalValue>, BtfError>,
}

macro_rules! declarations {
    (
        settings { $($(#[$what:meta])* $setting:ident: $of:ty = $default:expr;)* }
        $($policy:ident $probe:ident $($lost:literal)? {
            $($(#[$doc:meta])* $name:ident: $type:ty = $($formula:literal)|+;)*
        })*
    ) => {
        $($(#[$what])* pub const $setting: Global<$of> = Global::new(stringify!($setting));)*
        $($($(#[$doc])* pub const $name: Global<$type> = Global::new(stringify!($name));)*)*

        const GROUPS: &[FactGroup] = &[$(FactGroup {
            of: stringify!($probe),
            policy: Policy::$policy,
            lost: [$(Some($lost),)? None][0],
            facts: &[$(Declared { name: stringify!($name), formulas: &[$($formula),+], solve: solve::<$type> }),*],
        }),*];
    };
}

stillwatch_common::facts!(declarations);

fn solve<T: Solve + Into<GlobalValue>>(btf: &KernelBtf, formula: &str) -> Result<Option<GlobalValue>, BtfError> {
    Ok(T::solve(btf, formula)?.map(Into::into))
}

impl Declared {
    /// The first formula that this kernel has something for; else why it has nothing for the first.
    fn find(&self, btf: &KernelBtf) -> Result<GlobalValue, BtfError> {
        let mut missing = None;
        for formula in self.formulas {
            match (self.solve)(btf, formula) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                Err(error) if error.is_absence() => missing = missing.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(missing.unwrap_or_else(|| BtfError::NoType { what: "fact", name: self.name.into() }))
    }
}

impl Facts {
    /// What every probe needs. An error means that no program can work; what merely costs a feature is in [`Facts::missing`].
    pub fn of_every_probe(btf: &KernelBtf) -> Result<Self, BtfError> {
        let mut facts = Self::default();
        facts.resolve("every", btf)?;
        Ok(facts)
    }

    /// Adds what one probe needs beyond that.
    pub fn resolve(&mut self, of: &str, btf: &KernelBtf) -> Result<(), BtfError> {
        GROUPS.iter().filter(|group| group.of == of).try_for_each(|group| self.resolve_group(group, btf))
    }

    fn resolve_group(&mut self, group: &FactGroup, btf: &KernelBtf) -> Result<(), BtfError> {
        let mut missing = None;
        let mut found = Vec::new();
        for fact in group.facts {
            match fact.find(btf) {
                Ok(value) => found.push((fact.name, value)),
                Err(error) if error.is_absence() || group.lost.is_some() => missing = missing.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match (missing, &group.policy, group.lost) {
            (Some(error), Policy::Needed, _) => return Err(error),
            (Some(error), Policy::OneOf, _) if found.is_empty() => return Err(error),
            (Some(error), Policy::Optional, Some(lost)) => self.missing.push((lost, error.to_string())),
            _ => self.values.extend(found),
        }
        Ok(())
    }

    /// Takes over what was found out for one probe more.
    pub fn add(&mut self, more: &Self) {
        self.values.extend(&more.values);
        for missing in &more.missing {
            if !self.missing.contains(missing) {
                self.missing.push(missing.clone());
            }
        }
    }

    #[expect(private_bounds, reason = "what a global can be is nobody else's business")]
    pub fn set<T: Into<GlobalValue>>(&mut self, global: &Global<T>, value: T) {
        self.values.insert(global.name, value.into());
    }

    /// Whether this kernel has it.
    pub fn has<T>(&self, fact: &Global<T>) -> bool {
        self.values.contains_key(fact.name)
    }

    /// Hands everything to the loader. What is not known stays as the programs have it: absent.
    pub fn hand_over<'a>(&'a self, loader: &mut aya::EbpfLoader<'a>) {
        for (name, value) in self.values.iter().filter(|(name, _)| !for_tests::without_fact(name)) {
            match value {
                GlobalValue::Byte(value) => loader.override_global(name, value, true),
                GlobalValue::Half(value) => loader.override_global(name, value, true),
                GlobalValue::Word(value) => loader.override_global(name, value, true),
            };
        }
    }

    /// Points the cgroup filter at a v1 controller: from a task's `css_set` through the subsystem's state.
    pub fn filter_by_controller(&mut self, btf: &KernelBtf, controller: &str) -> Result<(), BtfError> {
        // The one controller whose mount option is not its name in the kernel.
        let id = if controller == "blkio" { "io" } else { controller };
        self.resolve("filter", btf)?;
        let state = Offset::solve(btf, &format!("css_set.subsys[cgroup_subsys_id.{id}_cgrp_id]"))?;
        state.into_iter().for_each(|state| self.set(&CSET_CGROUP, state));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::fixture;

    fn facts(kernel: &str) -> Facts {
        let btf = fixture::open(kernel);
        let mut facts = Facts::of_every_probe(&btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
        for probe in crate::probes::ALL {
            facts.resolve(probe.name, &btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
        }
        facts
    }

    #[test]
    fn every_kernel_of_the_matrix_has_all_facts() {
        for kernel in fixture::KERNELS {
            let facts = facts(kernel);
            assert!(facts.missing.is_empty(), "{kernel}: {:?}", facts.missing);
            let old = kernel == "5.10";
            for fact in [HAVE_CURRENT_BTF, HAVE_TASK_PT_REGS, HAVE_PREV_STATE, HAVE_EXIT_MMAP, DROP_HAS_REASON] {
                assert_eq!(facts.has(&fact), !old, "{kernel} {}", fact.name);
            }
            assert!(facts.has(&MARK_HAS_TASK) && facts.has(&TASK_COMPAT), "{kernel}");
            assert!(facts.has(&NET_PORTS) && facts.has(&NET_TIME_WAIT_REUSE), "{kernel}");
            assert!(facts.has(&TASK_NAMESPACES) && facts.has(&NAMESPACES_NET), "{kernel}");
            assert_eq!(facts.has(&NET_PORTS_APART), ["5.10", "6.1"].contains(&kernel), "{kernel}");
            assert!(facts.has(&RQ_DISK) != facts.has(&QUEUE_DISK), "{kernel}");
            assert!(facts.has(&BIO_DISK) != facts.has(&BIO_BDEV), "{kernel}");
            assert_eq!([facts.has(&BIO_DISK), facts.has(&BIO_QUEUE_HAS_QUEUE)], [old; 2], "{kernel}");
            assert_eq!(facts.has(&DROP_HAS_SOCKET), !["5.10", "6.1"].contains(&kernel), "{kernel}");
            let apart = if ["5.10", "6.1"].contains(&kernel) { 8 } else { 40 };
            assert_eq!(facts.values.get(MM_PAGES_STRIDE.name), Some(&GlobalValue::Word(apart)), "{kernel}");
        }
    }

    /// What a kernel may lack without a word would hide a slip of the pen.
    #[test]
    fn every_fact_is_found_somewhere() {
        // In the first releases of 5.10, until it took over what 5.11 had changed.
        const EARLIER: [&str; 3] = [INSERT_HAS_QUEUE.name, ISSUE_HAS_QUEUE.name, MERGE_HAS_QUEUE.name];
        let found = fixture::KERNELS.map(facts);
        for fact in GROUPS.iter().filter(|group| group.of != "filter").flat_map(|group| group.facts) {
            let somewhere = found.iter().any(|facts| facts.values.contains_key(fact.name));
            assert!(somewhere || EARLIER.contains(&fact.name), "{}", fact.name);
        }
    }

    #[test]
    fn a_fact_has_one_declaration() {
        let mut names: Vec<_> = GROUPS.iter().flat_map(|group| group.facts).map(|fact| fact.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let known =
            |of: &str| ["every", "filter"].contains(&of) || crate::probes::ALL.iter().any(|probe| probe.name == of);
        assert!(GROUPS.iter().all(|group| known(group.of)));
    }

    #[test]
    fn the_filter_finds_a_controller() {
        for kernel in fixture::KERNELS {
            let mut facts = facts(kernel);
            let unified = facts.values.get(CSET_CGROUP.name).copied();
            facts.filter_by_controller(&fixture::open(kernel), "blkio").unwrap();
            assert!(facts.has(&CSS_CGROUP) && facts.values.get(CSET_CGROUP.name).copied() != unified, "{kernel}");
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
