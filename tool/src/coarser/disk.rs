//! How file systems are, and what grew.

use crate::{
    snapshot::disk::{Disk, Growing},
    table::Then,
};

pub fn then(disk: &mut Disk, later: Disk) {
    let Disk { filesystems, growing, directories, deleted_open, descriptors, host, horizon_ns } = later;
    disk.filesystems.then(filesystems);
    disk.growing.then(growing);
    for row in disk.growing.value_mut().into_iter().flatten() {
        row.bytes_per_s = Growing::rate(row.bytes, row.over_ns);
    }
    disk.directories.then(directories);
    for row in disk.directories.value_mut().into_iter().flatten() {
        row.bytes_per_s = Growing::rate(row.bytes, row.over_ns);
    }
    disk.deleted_open = deleted_open;
    disk.descriptors.then(descriptors);
    disk.host = host;
    disk.horizon_ns = horizon_ns;
}
