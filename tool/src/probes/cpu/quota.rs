//! Cgroups that may use CPUs only for a part of the time, and how often they were throttled.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    kernel::{
        features::{Cgroups, Hierarchy},
        in_time::in_time,
        search::Search,
    },
    sample::Throttling,
    snapshot::who::NOT_IN_TIME,
};

/// A search for cgroups with a quota takes some 10 µs for each cgroup there is, so it takes at most a hundredth of the time.
const SHARE: u32 = 100;
const REST: Duration = Duration::from_secs(2);
/// Directories looked at in one search.
const SEARCHED: usize = 65_536;
/// Cgroups read at each tick.
const KEPT: usize = 1024;
/// Processes of a cgroup that was throttled that are looked at.
const MEMBERS: usize = 256;

pub struct Quotas {
    hierarchy: Option<Hierarchy>,
    /// With the time that it was throttled for, as read last.
    limited: Vec<(PathBuf, u64)>,
    search: Search<Vec<PathBuf>>,
}

impl Quotas {
    pub fn new() -> Self {
        let all = Cgroups::read().hierarchies;
        let has_cpu = |hierarchy: &&Hierarchy| hierarchy.controllers.split(',').any(|controller| controller == "cpu");
        let v1 = all.iter().find(has_cpu).cloned();
        let hierarchy = v1.or_else(|| all.into_iter().find(Hierarchy::is_v2));
        Self { hierarchy, limited: Vec::new(), search: Search::new(REST, SHARE) }
    }

    /// By the cgroup's path, since it was made. An error says why there are none.
    pub fn read(&mut self, now: Duration) -> Result<BTreeMap<String, Throttling>, &'static str> {
        let Some(hierarchy) = self.hierarchy.clone() else {
            return Err("no cgroup hierarchy with the cpu controller is mounted");
        };
        self.look_for_limits(now);
        if self.search.took().is_none() {
            return Err(NOT_IN_TIME);
        }
        let mut limited = self.limited.clone();
        let read = move || {
            let all: BTreeMap<_, _> = limited.iter_mut().filter_map(|one| one_of(&hierarchy, one)).collect();
            (all, limited)
        };
        let (all, limited) = in_time("quotas of cgroups", read).ok_or(NOT_IN_TIME)?;
        self.limited = limited;
        Ok(all)
    }

    fn look_for_limits(&mut self, now: Duration) {
        let Some(hierarchy) = self.hierarchy.clone() else { return };
        let found = if self.search.is_due(now) {
            self.search.begin_and_wait(now, move || search(&hierarchy))
        } else {
            self.search.found()
        };
        let Some(found) = found else { return };
        let known: HashMap<PathBuf, u64> = self.limited.drain(..).collect();
        let with_known = |dir: PathBuf| {
            let ns = known.get(&dir).copied().unwrap_or(u64::MAX);
            (dir, ns)
        };
        self.limited = found.into_iter().map(with_known).collect();
    }
}

fn one_of(hierarchy: &Hierarchy, (dir, known_ns): &mut (PathBuf, u64)) -> Option<(String, Throttling)> {
    let mut throttling = throttling(&fs::read_to_string(dir.join("cpu.stat")).ok()?)?;
    if throttling.throttled_ns > *known_ns {
        throttling.members = members(dir);
    }
    *known_ns = throttling.throttled_ns;
    Some((name_of(hierarchy, dir)?, throttling))
}

fn name_of(hierarchy: &Hierarchy, dir: &Path) -> Option<String> {
    let below = dir.strip_prefix(&hierarchy.mount).ok()?.to_string_lossy();
    Some(format!("{}/{below}", hierarchy.root.trim_end_matches('/')))
}

/// Cgroups with a quota.
fn search(hierarchy: &Hierarchy) -> Vec<PathBuf> {
    let (mut waiting, mut seen, mut found) = (vec![hierarchy.mount.clone()], 0, Vec::new());
    while let Some(dir) = waiting.pop() {
        seen += 1;
        if found.len() < KEPT && is_limited(&dir, hierarchy.is_v2()) {
            found.push(dir.clone());
        }
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if seen + waiting.len() < SEARCHED && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
    }
    found
}

/// Processes of the cgroup and of those below it; of many, some.
fn members(dir: &Path) -> Vec<u32> {
    let (mut waiting, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = waiting.pop() {
        let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        if found.len() + waiting.len() >= MEMBERS {
            break;
        }
        let below = fs::read_dir(&dir).into_iter().flatten().flatten();
        waiting
            .extend(below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
    }
    found.truncate(MEMBERS);
    found
}

fn is_limited(dir: &Path, v2: bool) -> bool {
    let read = |file| fs::read_to_string(dir.join(file)).ok();
    match v2 {
        true => read("cpu.max").is_some_and(|quota| !quota.starts_with("max")),
        false => read("cpu.cfs_quota_us").is_some_and(|quota| !quota.starts_with('-')),
    }
}

/// Microseconds on the unified hierarchy, nanoseconds before.
fn throttling(text: &str) -> Option<Throttling> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let ns = field("throttled_time").or_else(|| Some(field("throttled_usec")? * 1000))?;
    Some(Throttling {
        periods: field("nr_periods")?,
        throttled: field("nr_throttled")?,
        throttled_ns: ns,
        members: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_file() {
        let v1 = "nr_periods 7\nnr_throttled 5\nthrottled_time 3000\n";
        let v2 = "usage_usec 9\nnr_periods 7\nnr_throttled 5\nthrottled_usec 3\n";
        let expected = Throttling { periods: 7, throttled: 5, throttled_ns: 3000, members: Vec::new() };
        assert_eq!([v1, v2].map(throttling), [Some(expected.clone()), Some(expected)]);
        assert_eq!(throttling("usage_usec 9\n"), None);
    }
}
