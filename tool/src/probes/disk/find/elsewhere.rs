//! What no process holds: mounts, also those of other mount namespaces, loop devices, devices that lie on it, swap.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::super::mounts,
    Way, add, read,
    target::{Wanted, own_mounts},
};
use crate::{
    kernel::stat::stat,
    snapshot::disk::holds::{Found, HoldKind},
};

pub fn look(wanted: &Arc<Wanted>, pids: &[u32], found: &mut Found) {
    let asked = wanted.clone();
    let here = read(found, "mounts", move || mounted_here(&asked)).unwrap_or_default();
    add(found, None, here);
    for pid in strangers(pids) {
        let asked = wanted.clone();
        let there = read(found, &format!("mounts of process {pid}"), move || mounted_there(pid, &asked));
        add(found, Some(pid), there.unwrap_or_default());
    }
    let asked = wanted.clone();
    let devices = read(found, "block devices", move || {
        [loops(&asked), stacked(&asked), swaps(&asked)].into_iter().flatten().collect::<Vec<_>>()
    });
    add(found, None, devices.unwrap_or_default());
}

/// The mount that was asked for is left out.
fn mounted_here(wanted: &Wanted) -> Vec<Way> {
    let way = |one: mounts::Mounted| {
        let at = Path::new(&one.at);
        let how = match () {
            () if wanted.below && at == wanted.path => return None,
            () if wanted.filesystems.contains(&one.dev) => HoldKind::Mount,
            () if wanted.below && at.starts_with(&wanted.path) => HoldKind::MountBelow,
            () => return None,
        };
        Some(Way { how, fd: None, what: one.at })
    };
    mounts::each(&own_mounts()).filter_map(way).collect()
}

fn mounted_there(pid: u32, wanted: &Wanted) -> Vec<Way> {
    let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    let mounts = mounts::each(&text).filter(|one| wanted.filesystems.contains(&one.dev));
    mounts.map(|one| Way { how: HoldKind::Mount, fd: None, what: one.at }).collect()
}

/// The first process of every other mount namespace.
fn strangers(pids: &[u32]) -> Vec<u32> {
    let home = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let own = home("self");
    let mut first: BTreeMap<PathBuf, u32> = BTreeMap::new();
    for &pid in pids {
        if let Some(namespace) = home(&pid.to_string()).filter(|it| Some(it) != own.as_ref()) {
            first.entry(namespace).or_insert(pid);
        }
    }
    first.into_values().collect()
}

fn is_meant(path: &str, wanted: &Wanted) -> bool {
    let path = Path::new(path);
    stat(path, true).is_some_and(|status| wanted.is_meant(status, path))
}

fn loops(wanted: &Wanted) -> Vec<Way> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let way = |device: fs::DirEntry| {
        let file = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        let file = file.strip_suffix('\n').unwrap_or(&file);
        let what = || format!("/dev/{}: {file}", device.file_name().to_string_lossy());
        is_meant(file, wanted).then(|| Way { how: HoldKind::LoopDevice, fd: None, what: what() })
    };
    devices.filter_map(way).collect()
}

fn stacked(wanted: &Wanted) -> Vec<Way> {
    let holders = |node: &u32| {
        let folder = format!("/sys/dev/block/{}:{}/holders", node >> 20, node & 0xf_ffff);
        fs::read_dir(folder).into_iter().flatten().flatten()
    };
    let name = |entry: fs::DirEntry| format!("/dev/{}", entry.file_name().to_string_lossy());
    let names = wanted.nodes.iter().flat_map(holders).map(name);
    names.map(|what| Way { how: HoldKind::StackedDevice, fd: None, what }).collect()
}

fn swaps(wanted: &Wanted) -> Vec<Way> {
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let files = swaps.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next());
    let files = files.map(mounts::plain).filter(|file| is_meant(file, wanted));
    files.map(|what| Way { how: HoldKind::Swap, fd: None, what }).collect()
}
