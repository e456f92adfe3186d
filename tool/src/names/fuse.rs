//! Who serves a FUSE file system that somebody waits for.
//!
//! Nothing is asked of the file system itself, which is what hangs.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use crate::kernel::in_time::{self, Later};

/// The number of a connection, which is that of its file system's device.
type Connection = u32;

/// What is known of connections, for as long as somebody waits for one: to look who has `/dev/fuse` open takes long.
#[derive(Default)]
pub struct Servers {
    asked: bool,
    holders: HashMap<Connection, Vec<u32>>,
    search: Later<(Connection, Vec<u32>)>,
    /// What is waited for in each mount namespace, in this interval.
    waited_for: HashMap<PathBuf, Option<(Connection, String)>>,
}

impl Servers {
    /// Begins an interval.
    pub fn tick(&mut self) {
        self.waited_for.clear();
        if !std::mem::take(&mut self.asked) {
            self.holders.clear();
        }
    }

    /// Where the file system is mounted that a process waits for, if that can only be one, and who has its device open, as far as that has
    /// been found.
    pub fn of(&mut self, pid: u32) -> Option<(String, Vec<u32>)> {
        self.asked = true;
        let namespace = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?;
        let look = || waited_for(&in_time::text(format!("/proc/{pid}/mountinfo"))?, requests_wait);
        let (connection, place) = self.waited_for.entry(namespace).or_insert_with(look).clone()?;
        if !self.holders.contains_key(&connection) {
            self.holders.extend(self.search.get(move || (connection, holders(connection))));
        }
        Some((place, self.holders.get(&connection).cloned().unwrap_or_default()))
    }
}

/// The only file system among these mounts, or the only one with requests that wait.
fn waited_for(mounts: &str, waits: impl Fn(Connection) -> Option<bool>) -> Option<(Connection, String)> {
    let mut seen = HashSet::new();
    let all = mounts.lines().filter_map(mount).filter(|(connection, _)| seen.insert(*connection));
    let mut all: Vec<_> = all.filter(|(connection, _)| waits(*connection) != Some(false)).collect();
    let first = all.pop()?;
    all.is_empty().then_some(first)
}

/// From `36 35 0:32 / /mnt rw shared:1 - fuse.sshfs host: rw`.
fn mount(line: &str) -> Option<(Connection, String)> {
    let (place, kind) = line.split_once(" - ")?;
    let kind = kind.split(' ').next()?;
    if kind != "fuse" && kind != "fuseblk" && !kind.starts_with("fuse.") {
        return None;
    }
    let mut words = place.split(' ').skip(2);
    let (major, minor) = words.next()?.split_once(':')?;
    let connection = major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?;
    Some((connection, words.nth(1)?.to_owned()))
}

const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// `None`: the kernel's file system that tells (fusectl) is not mounted.
fn requests_wait(connection: Connection) -> Option<bool> {
    let waiting = fs::read_to_string(format!("{CONNECTIONS}/{connection}/waiting")).ok()?;
    Some(waiting.trim() != "0")
}

/// Processes that have the device of a connection open. Older kernels do not say of which: there it is one only if nobody else has one.
fn holders(connection: Connection) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut unsure = Vec::new();
    let mut sure = Vec::new();
    for pid in pids {
        match holds(pid, connection) {
            Some(true) => sure.push(pid),
            None => unsure.push(pid),
            Some(false) => {}
        }
    }
    if sure.is_empty() && unsure.len() == 1 { unsure } else { sure }
}

/// `None`: a connection's device, of which it is not said.
fn holds(pid: u32, connection: Connection) -> Option<bool> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let devices = descriptors.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == Path::new("/dev/fuse")));
    let mut found = Some(false);
    for device in devices {
        let info = format!("/proc/{pid}/fdinfo/{}", device.file_name().to_string_lossy());
        match connection_of(&fs::read_to_string(info).unwrap_or_default()) {
            Some(of) if of == connection => return Some(true),
            Some(_) => {}
            None => found = None,
        }
    }
    found
}

fn connection_of(info: &str) -> Option<Connection> {
    info.lines().find_map(|line| line.strip_prefix("fuse_connection:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        36 22 0:32 / /mnt rw shared:1 - fuse.sshfs host: rw\n\
        37 22 0:32 /a /srv rw - fuse.sshfs host: rw\n\
        38 22 0:33 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n";

    #[test]
    fn one_is_told_only_if_it_can_be_no_other() {
        let mnt = Some((32, "/mnt".to_owned()));
        assert_eq!(waited_for(MOUNTS, |_| None), mnt, "one file system in two places");
        let two = format!("{MOUNTS}39 22 8:17 / /data rw - fuseblk /dev/sdb1 rw\n");
        assert_eq!(waited_for(&two, |_| None), None);
        assert_eq!(waited_for(&two, |_| Some(true)), None);
        assert_eq!(waited_for(&two, |connection| Some(connection == 32)), mnt);
        assert_eq!(waited_for(&two, |connection| Some(connection == (8 << 20 | 17))).unwrap().1, "/data");
    }

    #[test]
    fn the_kernel_says_of_which_connection_a_device_is() {
        assert_eq!(connection_of("pos:\t0\nflags:\t02\nfuse_connection:\t32\n"), Some(32));
        assert_eq!(connection_of("pos:\t0\nflags:\t02\n"), None);
    }
}
