//! Some of those who hold files; file systems are everybody's.

use super::{bound_some, keep_some};
use crate::{
    cli::plan::{Filter, Plan},
    snapshot::disk::Disk,
};

pub fn select(disk: &mut Disk, plan: &Plan) {
    keep_some(disk.growing.value_mut(), &plan.filter);
    keep_some(disk.directories.value_mut(), &plan.filter);
    keep_some(disk.deleted_open.value_mut(), &plan.filter);
    keep_some(disk.descriptors.value_mut(), &plan.filter);
}

pub fn bound(disk: &mut Disk, filter: &Filter) {
    disk.filesystems.bound(|_| false);
    bound_some(disk.growing.value_mut(), filter);
    bound_some(disk.directories.value_mut(), filter);
    bound_some(disk.deleted_open.value_mut(), filter);
    bound_some(disk.descriptors.value_mut(), filter);
}
