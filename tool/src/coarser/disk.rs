//! How file systems are, and what grew.

use crate::{snapshot::disk::Disk, table::Then};

pub fn then(disk: &mut Disk, later: Disk) {
    let Disk { filesystems, growing, deleted_open, descriptors, host } = later;
    disk.filesystems.then(filesystems);
    disk.growing.then(growing);
    disk.deleted_open = deleted_open;
    disk.descriptors.then(descriptors);
    disk.host = host;
}
