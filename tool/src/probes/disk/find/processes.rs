//! What a process holds: its program and directories, its descriptors, what it has mapped.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Way, add, read, target::Wanted};
use crate::{
    kernel::{
        processes::{self, Mapped},
        stat::stat,
    },
    snapshot::disk::holds::{Found, HoldKind},
};

/// Descriptors that are looked at at once.
const AT_ONCE: usize = 1000;

pub fn look(pid: u32, wanted: &Arc<Wanted>, found: &mut Found) {
    let name = format!("process {pid}");
    let asked = wanted.clone();
    let Some(places) = read(found, &name, move || places(pid, &asked)) else { return };
    let programs: HashSet<String> =
        places.iter().filter(|way| way.how == HoldKind::Program).map(|way| way.what.clone()).collect();
    add(found, Some(pid), places);
    let Some(numbers) = read(found, &name, move || descriptors(pid)) else { return };
    match numbers {
        Ok(numbers) => {
            for some in numbers.chunks(AT_ONCE) {
                let (asked, some) = (wanted.clone(), some.to_vec());
                let ways =
                    read(found, &name, move || some.iter().filter_map(|&fd| open(pid, fd, &asked)).collect::<Vec<_>>());
                let Some(ways) = ways else { return };
                add(found, Some(pid), ways);
            }
        }
        // It has ended.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return,
        Err(error) => found.unread.push(format!("{name}: {error}")),
    }
    // No socket and no node is mapped.
    if wanted.file.is_some() || !wanted.filesystems.is_empty() {
        let asked = wanted.clone();
        let mapped = read(found, &name, move || mapped(pid, &asked)).unwrap_or_default();
        // What runs is mapped, too.
        add(found, Some(pid), mapped.into_iter().filter(|way| !programs.contains(&way.what)));
    }
}

fn places(pid: u32, wanted: &Wanted) -> Vec<Way> {
    let kinds = [("exe", HoldKind::Program), ("cwd", HoldKind::WorkingDirectory), ("root", HoldKind::RootDirectory)];
    let place = |(name, how): (&str, HoldKind)| {
        let link = PathBuf::from(format!("/proc/{pid}/{name}"));
        let (path, status) = (fs::read_link(&link).ok()?, stat(&link, true)?);
        let is_usual = how == HoldKind::RootDirectory && wanted.usual_root == Some((status.dev, status.inode));
        (!is_usual && wanted.is_meant(status, &path)).then(|| Way { how, fd: None, what: text(&path) })
    };
    kinds.into_iter().filter_map(place).collect()
}

fn descriptors(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let mut numbers: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn open(pid: u32, fd: u32, wanted: &Wanted) -> Option<Way> {
    let link = PathBuf::from(format!("/proc/{pid}/fd/{fd}"));
    let path = fs::read_link(&link).ok()?;
    if let Some(inode) = socket(&path) {
        let Way { how, what, .. } = wanted.sockets.get(&inode)?;
        return Some(Way { how: *how, fd: Some(fd), what: what.clone() });
    }
    // Pipes and the like lie nowhere.
    let status = path.is_absolute().then(|| stat(&link, true))??;
    let how = || access(&fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default());
    wanted.is_meant(status, &path).then(|| Way { how: how(), fd: Some(fd), what: text(&path) })
}

/// From `socket:[12]`.
fn socket(path: &Path) -> Option<u64> {
    path.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// `flags` of `/proc/PID/fdinfo`, in octal digits.
fn access(fdinfo: &str) -> HoldKind {
    let flags = fdinfo.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    let flags = flags.unwrap_or(0);
    match flags & libc::O_ACCMODE {
        _ if flags & libc::O_PATH != 0 => HoldKind::Place,
        libc::O_WRONLY => HoldKind::Writing,
        libc::O_RDWR => HoldKind::ReadingAndWriting,
        _ => HoldKind::Reading,
    }
}

/// Each file once.
fn mapped(pid: u32, wanted: &Wanted) -> Vec<Way> {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    let mut seen = HashSet::new();
    let meant = |line| {
        let Mapped { dev, inode, path, .. } = processes::mapped(line)?;
        // All that is escaped there.
        let path = path.replace("\\012", "\n");
        (wanted.is_meant_by(dev, inode, Path::new(&path)) && seen.insert((dev, inode))).then_some(path)
    };
    let paths: Vec<String> = maps.lines().filter_map(meant).collect();
    paths.into_iter().map(|what| Way { how: HoldKind::Mapping, fd: None, what }).collect()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_descriptor_was_opened() {
        let all = [("0100000", "open to read"), ("0100001", "open to write"), ("02100002", "open to read, write")];
        for (flags, name) in all {
            assert_eq!(access(&format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t29\n")).name(), name);
        }
        assert_eq!(access("flags:\t012000000\n"), HoldKind::Place);
    }
}
