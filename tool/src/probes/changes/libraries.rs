//! Libraries that were replaced or removed while processes have them mapped.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use super::{
    executables::running,
    files::{is_served, mounted},
    watching::{Found, Glance, Watched},
};
use crate::{
    kernel::{
        processes::{self, DELETED},
        stat::stat,
    },
    sample::{Change, ChangeKind, Did},
};

/// Processes that are looked at in one look, and rows of it. The others follow.
const AT_ONCE: usize = 512;
const MOST: usize = 256;

/// A path and the number of the inode that had it.
type Library = (String, u64);

#[derive(Default)]
pub struct Libraries {
    known: HashSet<Library>,
    /// Processes above that number are next.
    last: u32,
    /// All processes were looked at once.
    is_round: bool,
}

impl Watched for Libraries {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let mut gone: BTreeMap<Library, Vec<u32>> = BTreeMap::new();
        for pid in self.next() {
            mapped(pid).into_iter().for_each(|library| gone.entry(library).or_default().push(pid));
        }
        if self.known.len() > MOST * 16 {
            self.known.clear();
        }
        let new: Vec<_> = gone.into_iter().filter(|(library, _)| self.known.insert(library.clone())).collect();
        found.left_out += new.len().saturating_sub(MOST) as u64;
        let is_first = !self.is_round;
        found.changes.extend(new.iter().take(MOST).filter_map(|(it, pids)| change(glance, is_first, &it.0, pids)));
        self.is_round |= self.last == u32::MAX;
    }
}

impl Libraries {
    /// Begins anew when all were looked at.
    fn next(&mut self) -> Vec<u32> {
        let mut pids: Vec<u32> = processes::all().collect();
        pids.sort_unstable();
        if self.last == u32::MAX {
            self.last = 0;
        }
        let next: Vec<u32> = pids.into_iter().filter(|pid| *pid > self.last).take(AT_ONCE).collect();
        self.last = if next.len() < AT_ONCE { u32::MAX } else { next.last().copied().unwrap_or(u32::MAX) };
        next
    }
}

/// Whoever reads this waits for a process that changes its mappings; so nobody waits for us.
fn mapped(pid: u32) -> HashSet<Library> {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    String::from_utf8_lossy(&maps).lines().filter_map(library).collect()
}

/// From `7f12e000-7f13e000 r-xp 00000000 fe:00 1234   /usr/lib/libssl.so.3 (deleted)`, its code alone.
fn library(line: &str) -> Option<Library> {
    let mapped = processes::mapped(line.strip_suffix(DELETED)?)?;
    let path = mapped.path;
    let is_library = path.rsplit('/').next()?.contains(".so") && !path.starts_with("/memfd:");
    (mapped.is_code && is_library).then(|| (path.to_owned(), mapped.inode))
}

/// What has the name now came when the other lost it. Of a process that sees other files than we do, and of what has no name any more, that is
/// not known.
fn change(glance: &Glance, is_first: bool, path: &str, pids: &[u32]) -> Option<Change> {
    let pid = *pids.first()?;
    let files = |of: &str| fs::read_link(format!("/proc/{of}/ns/mnt")).ok();
    let is_ours = files("self").is_some_and(|ours| files(&pid.to_string()) == Some(ours));
    let may_ask = is_ours && !is_served(Path::new(path), &mounted());
    let came = if may_ask { stat(Path::new(path), true).map(|it| it.changed) } else { None };
    let change = glance.seen(ChangeKind::Library, Did::Replaced, path, "/proc/PID/maps");
    let change = Change { pid: Some(pid), to: running(pids.len()), ..change };
    match came {
        // It may have been long ago.
        None if is_first => None,
        Some(at) if is_first => (at >= glance.since).then_some(Change { at, after: None, ..change }),
        came => Some(glance.at(came, change)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_libraries_without_a_name() {
        let code = |path: &str| format!("7f12e000-7f13e000 r-xp 00001000 fe:00 1234                       {path}");
        let one = |path: &str| library(&code(path));
        assert_eq!(one("/usr/lib/my lib.so.3 (deleted)"), Some(("/usr/lib/my lib.so.3".into(), 1234)));
        for other in ["/usr/lib/libssl.so.3", "/tmp/ffi123 (deleted)", "/memfd:x.so (deleted)", "", "[vdso]"] {
            assert_eq!(one(other), None, "{other}");
        }
        assert_eq!(library(&code("/usr/lib/libssl.so.3 (deleted)").replace("r-xp", "r--p")), None);
    }

    #[test]
    fn all_processes_have_their_turn() {
        let mut libraries = Libraries { last: u32::MAX, ..Libraries::default() };
        assert!(libraries.next().contains(&std::process::id()));
        libraries.last = std::process::id();
        assert!(libraries.next().iter().all(|pid| *pid > std::process::id()));
    }
}
