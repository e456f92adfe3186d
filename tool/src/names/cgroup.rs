//! Cgroups by id and by what an operator types.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::{ffi::OsStrExt, fs::DirEntryExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::Late;
use crate::{
    cli::plan::Cgroup,
    escape::escape,
    kernel::{
        features::{Cgroups, Hierarchy},
        in_time::{Later, in_time},
    },
};

/// Directories looked at in one search. Large hosts have some thousands.
const SEARCHED: usize = 65_536;
/// Paths kept.
const KEPT: usize = 16_384;

/// Kind of file handle that holds the id of a cgroup (`FILEID_KERNFS` in the kernel's exportfs.h).
const FILEID_KERNFS: i32 = 0xfe;

/// Cgroup2 ids and their paths. An id is never used again while the machine runs, and a cgroup2 cgroup is never
/// renamed, so what is found stays true, also after the cgroup is gone.
pub(super) struct Ids {
    hierarchy: Option<Hierarchy>,
    mount: Option<Arc<File>>,
    /// `None`: not found in this interval.
    paths: HashMap<u64, Option<String>>,
    /// Whether this interval has had its walk over all directories.
    walked: bool,
    all: Later<HashMap<u64, Option<String>>>,
}

impl Ids {
    pub fn new(hierarchy: Option<Hierarchy>) -> Self {
        let mount = hierarchy.as_ref().and_then(|hierarchy| File::open(&hierarchy.mount).ok());
        let mount = mount.map(Arc::new);
        Self { hierarchy, mount, paths: HashMap::new(), walked: false, all: Later::default() }
    }

    pub fn tick(&mut self) {
        self.walked = false;
        self.paths.retain(|_, path| path.is_some());
        if self.paths.len() >= KEPT {
            self.paths.clear();
        }
    }

    pub fn path(&mut self, id: u64) -> Result<Option<String>, Late> {
        if let Some(path) = self.paths.get(&id) {
            return Ok(path.clone());
        }
        let (Some(hierarchy), Some(mount)) = (self.hierarchy.clone(), self.mount.clone()) else { return Ok(None) };
        // Who makes or removes a cgroup holds locks that this takes.
        let path = match in_time("a cgroup by its number", move || dir_by_id(&mount, id)).ok_or(Late)? {
            Ok(dir) => name_of(&hierarchy, &dir),
            Err(error) if error.raw_os_error() == Some(libc::ESTALE) => None,
            // Handles need CAP_DAC_READ_SEARCH. Looking at every directory does not, but is far slower.
            Err(_) if self.walked => None,
            Err(_) => {
                self.walked = true;
                self.paths.extend(self.all.get(move || paths_below(&hierarchy)).ok_or(Late)?);
                self.paths.get(&id).cloned().flatten()
            }
        };
        if self.paths.len() < KEPT {
            self.paths.insert(id, path.clone());
        }
        Ok(path)
    }
}

fn paths_below(hierarchy: &Hierarchy) -> HashMap<u64, Option<String>> {
    let mut paths = HashMap::new();
    walk(&hierarchy.mount, |dir, inode| {
        if paths.len() < KEPT {
            paths.insert(inode, name_of(hierarchy, dir));
        }
    });
    paths
}

/// The directory of a cgroup, by a file handle made from its id: one call however many cgroups there are.
fn dir_by_id(mount: &File, id: u64) -> io::Result<PathBuf> {
    /// `struct file_handle` with room for one id.
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        id: u64,
    }
    let mut handle = Handle { bytes: size_of::<u64>() as u32, kind: FILEID_KERNFS, id };
    // SAFETY: the handle has the layout of `struct file_handle` followed by `bytes` bytes, which is all that the kernel
    // reads, and outlives the call.
    let fd =
        unsafe { libc::open_by_handle_at(mount.as_raw_fd(), (&raw mut handle).cast(), libc::O_PATH | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else knows it.
    let dir = unsafe { File::from_raw_fd(fd) };
    fs::read_link(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}

/// The cgroup's path as `/proc/PID/cgroup` spells it.
fn name_of(hierarchy: &Hierarchy, dir: &Path) -> Option<String> {
    let below = dir.strip_prefix(&hierarchy.mount).ok()?.to_string_lossy();
    let path = format!("{}/{below}", hierarchy.root.trim_end_matches('/'));
    Some(if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path })
}

/// Visits the directory and all below it, parents first, with their inode numbers.
fn walk(root: &Path, mut visit: impl FnMut(&Path, u64)) {
    use std::os::unix::fs::MetadataExt;
    let Ok(inode) = fs::metadata(root).map(|found| found.ino()) else { return };
    let (mut waiting, mut seen) = (vec![(root.to_owned(), inode)], 0);
    while let Some((dir, inode)) = waiting.pop() {
        visit(&dir, inode);
        seen += 1;
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && seen + waiting.len() < SEARCHED {
                waiting.push((entry.path(), entry.ino()));
            }
        }
    }
}

/// Why a cgroup that an operator named was not found.
#[derive(Debug, Error)]
pub enum CgroupError {
    #[error("no cgroup hierarchy is mounted here (mount -t cgroup2 none /sys/fs/cgroup)")]
    NoHierarchy,
    #[error("no cgroup {0} (give a path below the cgroup root, as in /proc/PID/cgroup, or a unit's name)")]
    NotFound(String),
    #[error("{given} could be any of {}: give its path", listed(found))]
    Ambiguous { given: String, found: Vec<String> },
}

fn listed(found: &[String]) -> String {
    let shown: Vec<_> = found.iter().take(4).map(|path| escape(path)).collect();
    let more =
        if found.len() > shown.len() { format!(" and {} more", found.len() - shown.len()) } else { String::new() };
    shown.join(", ") + &more
}

/// The cgroup that an operator means: a path below the root of a hierarchy, the directory itself, or the name of a unit (with or
/// without `.service`) that is in one place only. On hosts with several hierarchies the one that gives names is asked first.
pub fn find(cgroups: &Cgroups, given: &str) -> Result<Cgroup, CgroupError> {
    let dir = find_dir(cgroups, given)?;
    let path = cgroups.of_dir(&dir).and_then(|hierarchy| name_of(hierarchy, &dir));
    path.map(|path| Cgroup { dir, path }).ok_or_else(|| CgroupError::NotFound(given.into()))
}

fn find_dir(cgroups: &Cgroups, given: &str) -> Result<PathBuf, CgroupError> {
    let naming = cgroups.naming().ok_or(CgroupError::NoHierarchy)?;
    let hierarchies = || [naming].into_iter().chain(&cgroups.hierarchies);
    let candidates = [PathBuf::from(given)].into_iter().chain(hierarchies().map(|hierarchy| hierarchy.dir(given)));
    for candidate in candidates.filter(|dir| dir.is_absolute() && !given.is_empty()) {
        // Some distributions link `cpu` to `cpu,cpuacct`.
        if let Ok(dir) = candidate.canonicalize()
            && dir.is_dir()
            && cgroups.of_dir(&dir).is_some()
        {
            return Ok(dir);
        }
    }
    if given.is_empty() || given.contains('/') {
        return Err(CgroupError::NotFound(given.into()));
    }
    for hierarchy in hierarchies() {
        let mut found = Vec::new();
        walk(&hierarchy.mount, |dir, _| {
            let name = dir.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            if name == given.as_bytes() || name.strip_suffix(b".service") == Some(given.as_bytes()) {
                found.push(dir.to_owned());
            }
        });
        match found.as_slice() {
            [] => {}
            [only] => return Ok(only.clone()),
            _ => {
                let found = found.iter().filter_map(|dir| name_of(hierarchy, dir)).collect();
                return Err(CgroupError::Ambiguous { given: given.into(), found });
            }
        }
    }
    Err(CgroupError::NotFound(given.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn ids_are_inode_numbers() {
        let cgroups = Cgroups::read();
        let Some(v2) = cgroups.v2() else { return eprintln!("skipped: no cgroup2 hierarchy") };
        let mut ids = Ids::new(Some(v2.clone()));
        assert_eq!(ids.path(fs::metadata(&v2.mount).unwrap().ino()), Ok(Some(v2.root.clone())));
        assert_eq!(ids.path(u64::MAX - 1), Ok(None));
        // Both ways agree.
        let mut all = Vec::new();
        walk(&v2.mount, |dir, inode| all.push((inode, name_of(v2, dir))));
        for (inode, name) in all {
            assert!(dir_by_id(File::open(&v2.mount).as_ref().unwrap(), inode).is_err() || ids.path(inode) == Ok(name));
        }
    }

    #[test]
    fn a_new_cgroup_is_found_by_id_path_and_name() {
        let cgroups = Cgroups::read();
        let Some(hierarchy) = cgroups.v2().or(cgroups.naming()) else { return eprintln!("skipped: no cgroups") };
        let name = format!("stillwatch-test-{}", std::process::id());
        let dir = hierarchy.mount.join(&name);
        if let Err(error) = fs::create_dir(&dir) {
            return eprintln!("skipped: can't make a cgroup: {error}");
        }
        let inner = dir.join("inner.service");
        let inner_made = fs::create_dir(&inner);
        let inode = fs::metadata(&dir).unwrap().ino();
        let by_id = Ids::new(cgroups.v2().cloned()).path(inode);
        let found =
            [name.clone(), format!("/{name}"), dir.display().to_string()].map(|given| find_dir(&cgroups, &given));
        let unit = find_dir(&cgroups, "inner");
        let _ = fs::remove_dir(&inner);
        fs::remove_dir(&dir).unwrap();
        if hierarchy.is_v2() {
            assert_eq!(by_id, Ok(Some(format!("/{name}"))));
        }
        for found in found {
            assert_eq!(found.unwrap(), dir);
        }
        if inner_made.is_ok() {
            assert_eq!(unit.unwrap(), inner);
        }
        assert!(matches!(find_dir(&cgroups, &name), Err(CgroupError::NotFound(_))));
    }

    fn tree() -> (Cgroups, PathBuf) {
        // A directory that stands for a mount: nothing here asks what is mounted.
        let mount = std::env::temp_dir().join(format!("stillwatch-cgroups-{}", std::process::id()));
        for dir in ["a.slice/web.service", "b.slice/web.service", "b.slice/db.service"] {
            fs::create_dir_all(mount.join(dir)).unwrap();
        }
        let mount = mount.canonicalize().unwrap();
        (Cgroups::of([Hierarchy { controllers: String::new(), mount: mount.clone(), root: "/".into() }]), mount)
    }

    #[test]
    fn unit_names_must_be_unique() {
        let (cgroups, mount) = tree();
        let (db, web) = (find_dir(&cgroups, "db.service"), find_dir(&cgroups, "web"));
        let outside = [find_dir(&cgroups, "/.."), find_dir(&cgroups, "/etc"), find_dir(&cgroups, "")];
        fs::remove_dir_all(&mount).unwrap();
        assert_eq!(db.unwrap(), mount.join("b.slice/db.service"));
        let error = web.unwrap_err().to_string();
        assert!(error.contains("/a.slice/web.service") && error.contains("/b.slice/web.service"), "{error}");
        for outside in outside {
            assert!(matches!(outside, Err(CgroupError::NotFound(_))));
        }
        assert!(matches!(find_dir(&Cgroups::default(), "x"), Err(CgroupError::NoHierarchy)));
    }
}
