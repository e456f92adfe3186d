//! Names of those who hold files, and of the files.

use super::{all, rows, seen};
use crate::{
    cli::plan::Plan,
    names::Names,
    snapshot::disk::{CLOSED, DeletedOpen, Directory, Disk, Growing, holds::Hold},
    table::Known,
};

pub fn resolve(disk: &mut Disk, names: &mut Names, plan: &Plan) {
    rows(disk.growing.value_mut().into_iter().flatten(), names, plan);
    rows(disk.directories.value_mut().into_iter().flatten(), names, plan);
    rows(disk.deleted_open.value_mut().into_iter().flatten(), names, plan);
    rows(disk.descriptors.value_mut().into_iter().flatten(), names, plan);
    let seen = seen(plan).min(PATHS);
    for Growing { path, holder, fd, inode, .. } in disk.growing.value_mut().into_iter().flatten().take(seen) {
        *path = Known::of(names.file(*holder, *fd, *inode), CLOSED);
    }
    for Directory { path, who, fd, of, .. } in disk.directories.value_mut().into_iter().flatten().take(seen) {
        if *of != 0 && path.value().is_none() {
            let file = who.pid.and_then(|pid| names.file(pid, *fd, *of));
            *path = Known::of(file.and_then(|file| Some(file.rsplit_once('/')?.0.to_owned())), CLOSED);
        }
    }
    for DeletedOpen { path, who, fd, inode, .. } in disk.deleted_open.value_mut().into_iter().flatten().take(seen) {
        *path = Known::of(who.pid.and_then(|pid| names.file(pid, *fd, *inode)), CLOSED);
    }
}

/// Those who hold what was asked for.
pub fn holds(holds: &mut [Hold], names: &mut Names) {
    all(holds.iter_mut().map(|hold| &mut hold.who).filter(|who| who.pid.is_some()), names);
}

/// Each is asked for on its own.
const PATHS: usize = 64;
