//! Executables that were replaced or removed while processes of them go on.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
};

use super::watching::{Found, Glance, Watched};
use crate::{
    kernel::{
        processes::{self, DELETED},
        stat::stat,
    },
    sample::{Change, ChangeKind, Did},
};

/// Rows of one look: one for each executable, however many processes run it.
const MOST: usize = 256;

#[derive(Default)]
pub struct Executables {
    /// Processes whose executable is known to be gone.
    known: HashSet<(u32, String)>,
}

impl Watched for Executables {
    fn look(&mut self, glance: &Glance, found: &mut Found) {
        let gone: HashSet<(u32, String)> = processes::all().filter_map(without_executable).collect();
        let mut new: HashMap<&str, Vec<u32>> = HashMap::new();
        gone.difference(&self.known).for_each(|(pid, path)| new.entry(path).or_default().push(*pid));
        found.left_out += new.len().saturating_sub(MOST) as u64;
        found.changes.extend(new.into_iter().take(MOST).filter_map(|(path, pids)| change(glance, path, &pids)));
        self.known = gone;
    }
}

/// A process, and the path that its executable had. What was never a file on a disk has none.
fn without_executable(pid: u32) -> Option<(u32, String)> {
    let link = fs::read_link(link(pid)).ok()?;
    let path = link.to_string_lossy();
    let path = path.strip_suffix(DELETED)?;
    (!path.starts_with("/memfd:")).then(|| (pid, path.to_owned()))
}

fn link(pid: u32) -> PathBuf {
    format!("/proc/{pid}/exe").into()
}

/// A file without a name was changed last when it lost it.
fn change(glance: &Glance, path: &str, pids: &[u32]) -> Option<Change> {
    let pid = pids.iter().copied().min()?;
    let lost = stat(&link(pid), true).map(|it| it.changed);
    let change = glance.seen(ChangeKind::Executable, Did::Replaced, path, "/proc/PID/exe");
    let change = Change { pid: Some(pid), to: running(pids.len()), ..change };
    match lost {
        // Nobody knows when it was.
        None if glance.is_first() => None,
        Some(at) if glance.is_first() => Some(Change { at, after: None, ..change }),
        lost => Some(glance.at(lost, change)),
    }
}

/// How many go on with what was there before.
pub fn running(processes: usize) -> Option<String> {
    (processes > 1).then(|| format!("{processes} processes go on with the old one"))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::{super::watching::tests::look, *};

    #[test]
    fn a_process_without_its_executable_is_told_once() {
        let place = std::env::temp_dir().join(format!("stillwatch-exe-{}", std::process::id()));
        fs::copy("/bin/sleep", &place).unwrap();
        let mut children = [0; 2].map(|_| Command::new(&place).arg("60").spawn().unwrap());
        let pid = children.iter().map(|child| child.id()).min();
        let mut executables = Executables::default();
        let own = |changes: Vec<Change>| changes.into_iter().find(|one| Path::new(&one.what) == place);
        while children.iter().any(|child| fs::read_link(link(child.id())).unwrap() != place) {}
        assert_eq!(own(look(&mut executables, 0)), None);
        fs::remove_file(&place).unwrap();
        let gone = stat(&link(pid.unwrap()), true).unwrap().changed;
        let change = own(look(&mut executables, 1)).unwrap();
        assert_eq!((change.pid, change.at, change.after), (pid, gone, None));
        assert_eq!(change.to.as_deref(), Some("2 processes go on with the old one"));
        assert_eq!(own(look(&mut executables, 2)), None);
        children.iter_mut().for_each(|child| child.kill().and_then(|()| child.wait().map(drop)).unwrap());
    }
}
