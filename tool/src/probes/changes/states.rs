//! What is there, by name, each with what can change of it: compared with what was there at the look before.

use std::{collections::BTreeMap, fs};

use super::{
    links, sysctls,
    watching::{Found, Glance, Watched},
};
use crate::{
    probes::mounts,
    sample::{Change, ChangeKind, Did},
};

/// Values by name. What has no value but that it is there has an empty one.
pub type There = BTreeMap<String, String>;

/// Of one kind.
const MOST: usize = 8192;

pub struct States {
    kind: ChangeKind,
    source: &'static str,
    /// `None`: this kernel has none of it.
    read: fn() -> Option<There>,
    known: Option<There>,
}

impl States {
    fn new(kind: ChangeKind, source: &'static str, read: fn() -> Option<There>) -> Self {
        Self { kind, source, read, known: None }
    }

    pub fn modules() -> Self {
        Self::new(ChangeKind::Module, "/proc/modules", modules)
    }

    pub fn sysctls() -> Self {
        Self::new(ChangeKind::Sysctl, "/proc/sys", sysctls::all)
    }

    pub fn mounts() -> Self {
        Self::new(ChangeKind::Mount, "/proc/self/mountinfo", mounted)
    }

    pub fn links() -> Self {
        Self::new(ChangeKind::Link, "rtnetlink", links::links)
    }

    pub fn addresses() -> Self {
        Self::new(ChangeKind::Address, "rtnetlink", links::addresses)
    }

    pub fn routes() -> Self {
        Self::new(ChangeKind::Route, "/proc/net/route", links::routes)
    }

    fn change(&self, glance: &Glance, name: &str, from: Option<&String>, to: Option<&String>) -> Change {
        let did = match (from, to) {
            (None, _) => Did::Appeared,
            (_, None) => Did::Removed,
            _ => Did::Changed,
        };
        let said = |value: Option<&String>| value.filter(|value| !value.is_empty()).cloned();
        Change { from: said(from), to: said(to), ..glance.seen(self.kind, did, name, self.source) }
    }
}

impl Watched for States {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let Some(mut now) = (self.read)() else { return };
        found.left_out += now.len().saturating_sub(MOST) as u64;
        while now.len() > MOST {
            now.pop_last();
        }
        if let Some(before) = &self.known {
            let gone = before.iter().filter(|(name, _)| !now.contains_key(*name));
            let gone = gone.map(|(name, value)| self.change(glance, name, Some(value), None));
            let new = now.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            let new = new.map(|(name, value)| self.change(glance, name, before.get(name), Some(value)));
            found.changes.extend(gone.chain(new));
        }
        self.known = Some(now);
    }
}

fn modules() -> Option<There> {
    let text = fs::read_to_string("/proc/modules").ok()?;
    Some(text.lines().filter_map(|line| Some((line.split(' ').next()?.to_owned(), String::new()))).collect())
}

fn mounted() -> Option<There> {
    let text = fs::read("/proc/self/mountinfo").ok()?;
    Some(mounts_in(&String::from_utf8_lossy(&text)))
}

/// What is mounted last at a place counts. Namespaces that are kept by a mount are no file systems.
fn mounts_in(mountinfo: &str) -> There {
    let all = mounts::each(mountinfo).filter(|mounted| mounted.kind != "nsfs");
    let value = |mounted: &mounts::Mounted| {
        let how = if mounted.read_only { "read-only" } else { "read-write" };
        format!("{} {} {how}", mounted.kind, mounted.source)
    };
    all.map(|mounted| (mounted.at.clone(), value(&mounted))).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::watching::tests::look, *};

    const BEFORE: &str = "\
31 1 254:0 / / rw - ext4 /dev/vda rw
35 31 8:17 / /data rw - xfs /dev/sdb1 rw
36 31 0:4 net:[4026532177] /run/netns/a rw - nsfs nsfs rw
";
    const AFTER: &str = "\
31 1 254:0 / / rw - ext4 /dev/vda ro,errors=remount-ro
36 31 0:50 / /a\\040b\\012c rw - tmpfs one rw
";

    #[test]
    fn what_is_there_is_compared_with_what_was() {
        let read: fn() -> Option<There> = || Some(mounts_in(AFTER));
        let mut states = States { known: Some(mounts_in(BEFORE)), ..States::new(ChangeKind::Mount, "", read) };
        let changes = look(&mut states, 3);
        let told: Vec<_> =
            changes.iter().map(|one| (one.did, one.what.as_str(), one.from.as_deref(), one.to.as_deref())).collect();
        assert_eq!(
            told,
            [
                (Did::Removed, "/data", Some("xfs /dev/sdb1 read-write"), None),
                (Did::Changed, "/", Some("ext4 /dev/vda read-write"), Some("ext4 /dev/vda read-only")),
                (Did::Appeared, "/a b\nc", None, Some("tmpfs one read-write")),
            ]
        );
        assert!(changes.iter().all(|one| one.after.is_some()) && look(&mut states, 4).is_empty());
    }

    #[test]
    fn the_first_look_has_nothing_to_compare_with_and_each_is_bounded() {
        let many: fn() -> Option<There> =
            || Some((0..MOST + 7).map(|at| (format!("{at:06}"), String::new())).collect());
        let mut states = States::new(ChangeKind::Module, "", many);
        let mut found = Found::default();
        states.look(&super::super::watching::tests::glance(0), &mut found);
        assert_eq!((found.changes.len(), found.left_out), (0, 7));
        states.known.as_mut().unwrap().remove("000003");
        let [one] = &look(&mut states, 1)[..] else { panic!("not one") };
        assert_eq!((one.did, one.what.as_str(), &one.to), (Did::Appeared, "000003", &None));
    }

    #[test]
    fn this_host_has_mounts() {
        assert!(mounted().unwrap().contains_key("/"));
    }
}
