//! Which cgroup hierarchies this machine has, and which one names processes best.
//!
//! On a cgroup2 host there is one. On v1 and hybrid hosts each controller has its own tree, and most of them may hold
//! every process in the root: a name from there would say nothing, so the tree with most processes below its root is
//! taken.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use procfs::process::{MountInfo, Process};
use serde::Serialize;

use crate::kernel::in_time;

/// Processes looked at to find out which hierarchy is in use.
const SAMPLED: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    None,
    V1,
    V2,
    /// v1 controllers with a cgroup2 tree beside them.
    Hybrid,
}

/// One tree of cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Second field of its line in `/proc/PID/cgroup`: `memory`, `cpu,cpuacct`, `name=systemd`; empty for cgroup2.
    pub controllers: String,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The cgroup that is visible as the mount's root. Not `/` where only a part is mounted, as in old containers.
    pub root: String,
}

impl Hierarchy {
    pub fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    /// This hierarchy's path in the text of a `/proc/PID/cgroup`.
    pub fn path_in<'a>(&self, cgroup_file: &'a str) -> Option<&'a str> {
        cgroup_file.lines().find_map(|line| {
            let (_, line) = line.split_once(':')?;
            let (controllers, path) = line.split_once(':')?;
            (controllers == self.controllers).then_some(path)
        })
    }

    /// The directory of a cgroup, given as in `/proc/PID/cgroup`.
    pub fn dir(&self, path: &str) -> PathBuf {
        let below = path.strip_prefix(self.root.trim_end_matches('/')).unwrap_or(path);
        self.mount.join(below.trim_start_matches('/'))
    }
}

/// The hierarchies of this machine that are mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    pub hierarchies: Vec<Hierarchy>,
    /// Index of the one to take names from.
    naming: Option<usize>,
}

impl Cgroups {
    pub fn read() -> Self {
        let Ok(process) = Process::myself() else { return Self::default() };
        let mounts = process.mountinfo().map(|mounts| mounts.0).unwrap_or_default();
        let own = in_time::text("/proc/self/cgroup".to_owned()).unwrap_or_default();
        Self::from(hierarchies(&own, &mounts), cgroup_files())
    }

    /// For tests of what reads directories.
    #[cfg(test)]
    pub fn of(hierarchies: impl Into<Vec<Hierarchy>>) -> Self {
        Self::from(hierarchies.into(), std::iter::empty())
    }

    fn from(hierarchies: Vec<Hierarchy>, cgroup_files: impl Iterator<Item = String>) -> Self {
        let mut below_root = vec![0_usize; hierarchies.len()];
        if hierarchies.len() > 1 {
            for file in cgroup_files {
                for (hierarchy, count) in hierarchies.iter().zip(&mut below_root) {
                    *count += usize::from(hierarchy.path_in(&file).is_some_and(|path| path != "/"));
                }
            }
        }
        // Among equals the order of preference: cgroup2 (ids are known to the kernel), systemd's units, memory.
        let preference = |hierarchy: &Hierarchy| match hierarchy.controllers.as_str() {
            "" => 3,
            "name=systemd" => 2,
            "memory" => 1,
            _ => 0,
        };
        let naming = (0..hierarchies.len()).max_by_key(|&at| (below_root[at], preference(&hierarchies[at])));
        Self { hierarchies, naming }
    }

    /// Where names are taken from.
    pub fn naming(&self) -> Option<&Hierarchy> {
        self.hierarchies.get(self.naming?)
    }

    pub fn v2(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.is_v2())
    }

    /// Where memory is charged: the v1 controller's own tree, or the unified one.
    pub fn memory(&self) -> Option<&Hierarchy> {
        self.v1("memory").or_else(|| self.v2())
    }

    /// Where disks are limited, alike.
    pub fn io(&self) -> Option<&Hierarchy> {
        self.v1("blkio").or_else(|| self.v2())
    }

    fn v1(&self, controller: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.controllers.split(',').any(|one| one == controller))
    }

    pub fn version(&self) -> Version {
        match (self.v2().is_some(), self.hierarchies.len()) {
            (_, 0) => Version::None,
            (true, 1) => Version::V2,
            (true, _) => Version::Hybrid,
            (false, _) => Version::V1,
        }
    }

    /// The hierarchy that a directory belongs to.
    pub fn of_dir(&self, dir: &Path) -> Option<&Hierarchy> {
        let holding = self.hierarchies.iter().filter(|hierarchy| dir.starts_with(&hierarchy.mount));
        holding.max_by_key(|hierarchy| hierarchy.mount.as_os_str().len())
    }
}

/// Pairs the lines of our own `/proc/self/cgroup` with the mounts.
fn hierarchies(own: &str, mounts: &[MountInfo]) -> Vec<Hierarchy> {
    let of_line = |line: &str| {
        let controllers = line.split(':').nth(1)?;
        let first = controllers.split(',').next()?;
        let is_its = |mount: &&MountInfo| match controllers {
            "" => mount.fs_type == "cgroup2",
            _ => mount.fs_type == "cgroup" && has_option(&mount.super_options, first),
        };
        // Of several mounts the one that shows most.
        let mount = mounts.iter().filter(is_its).min_by_key(|mount| mount.root.len())?;
        Some(Hierarchy { controllers: controllers.into(), mount: mount.mount_point.clone(), root: mount.root.clone() })
    };
    own.lines().filter_map(of_line).collect()
}

fn has_option(options: &HashMap<String, Option<String>>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((name, value)) => options.get(name).is_some_and(|found| found.as_deref() == Some(value)),
        None => options.contains_key(wanted),
    }
}

/// `/proc/PID/cgroup` of some processes, evenly spread over all. Who makes or removes a cgroup holds a lock that reading them takes.
fn cgroup_files() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let stride = pids.len().div_ceil(SAMPLED).max(1);
    pids.into_iter().step_by(stride).filter_map(|pid| in_time::text(format!("/proc/{pid}/cgroup")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromBufRead;

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
    const OWN: &str = "12:pids:/\n5:memory:/a\n3:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n";

    fn read(own: &str, mounts: &str, files: &[&str]) -> Cgroups {
        let mounts = procfs::process::MountInfos::from_buf_read(mounts.as_bytes()).unwrap();
        Cgroups::from(hierarchies(own, &mounts.0), files.iter().map(|&file| file.to_owned()))
    }

    #[test]
    fn the_populated_hierarchy_gives_names() {
        let cgroups = read(OWN, HYBRID, &[OWN, OWN]);
        assert_eq!(cgroups.version(), Version::Hybrid);
        // pids is not mounted.
        assert_eq!(cgroups.hierarchies.len(), 4);
        let naming = cgroups.naming().unwrap();
        assert_eq!((naming.controllers.as_str(), naming.path_in(OWN)), ("memory", Some("/a")));
        assert_eq!(naming.dir("/a/b"), Path::new("/sys/fs/cgroup/memory/a/b"));
        assert_eq!(cgroups.memory(), Some(naming));
        assert_eq!(cgroups.of_dir(Path::new("/sys/fs/cgroup/cpu,cpuacct/x")).unwrap().controllers, "cpu,cpuacct");
        assert_eq!(cgroups.of_dir(Path::new("/sys/fs/cgroup")), None);
    }

    #[test]
    fn equals_go_to_cgroup2_and_then_to_systemd() {
        let both = "1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n";
        assert!(read(OWN, HYBRID, &[both]).naming().unwrap().is_v2());
        assert_eq!(read("2:memory:/\n1:name=systemd:/\n", HYBRID, &[]).naming().unwrap().controllers, "name=systemd");
        assert_eq!(read("2:memory:/\n", HYBRID, &[]).version(), Version::V1);
    }

    #[test]
    fn one_tree_or_none() {
        let v2 = read("0::/\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", &[]);
        assert_eq!((v2.version(), v2.naming(), v2.memory()), (Version::V2, v2.v2(), v2.v2()));
        assert_eq!(v2.naming().unwrap().path_in("0::/system.slice/a:b.service\n"), Some("/system.slice/a:b.service"));
        let none = read("", "", &[]);
        assert_eq!((none.version(), none.naming()), (Version::None, None));
    }

    #[test]
    fn a_mount_of_a_part_shows_paths_below_it() {
        let part =
            read("5:memory:/docker/1\n", "9 1 0:3 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", &[]);
        assert_eq!(part.naming().unwrap().dir("/docker/1/x"), Path::new("/sys/fs/cgroup/memory/x"));
    }
}
