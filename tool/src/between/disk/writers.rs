//! Who writes to a file, as far as pages that became dirty say it.

use std::{cmp::Reverse, collections::HashMap};

use stillwatch_common::{
    disk::{Dirtied, Dirtying},
    io::tgid_of,
};

use crate::{
    sample::{FileKey, Files, OpenBy},
    snapshot::{
        Who,
        disk::{DirtiedBy, SEVERAL},
    },
};

/// A page is dirtied by who is the first to write to it since it was written back, and others write to it, too: of what a file grew by, pages at the
/// edges are another's. Of less than this they are too large a part.
const CLEAR: u64 = 64 << 10;

/// What each process dirtied of each file since the walk before, the most first.
pub fn by_file(now: &Files) -> HashMap<FileKey, Vec<(&Dirtying, &Dirtied)>> {
    let mut files: HashMap<FileKey, Vec<_>> = HashMap::new();
    for (of, dirtied) in now.written.iter().flat_map(|written| &written.by) {
        files.entry((of.dev, of.inode)).or_default().push((of, dirtied));
    }
    files.values_mut().for_each(|file| file.sort_unstable_by_key(|(of, dirtied)| (Reverse(dirtied.bytes), of.owner)));
    files
}

/// The only one that dirtied what it grew by; where that is not known, whom its descriptor gives away.
pub fn who(by: Option<&OpenBy>, dirtied: &[(&Dirtying, &Dirtied)], grew: u64) -> Who {
    if let [(of, one)] = dirtied
        && grew >= CLEAR
        && one.bytes >= grew / 8 * 7
    {
        return owner(of, one);
    }
    // Reading moves a descriptor, too.
    let is_one = |by: &&OpenBy| dirtied.len() < 2 || dirtied.iter().any(|(of, _)| tgid_of(of.owner) == by.pid);
    match by.filter(is_one) {
        Some(by) => Who::recorded(by.pid, &by.comm, 0),
        None => Who { unknown: Some(SEVERAL.into()), ..Who::default() },
    }
}

pub fn owner(of: &Dirtying, dirtied: &Dirtied) -> Who {
    Who::owner(of.owner, &dirtied.comm, dirtied.cgroup)
}

/// Where several dirtied it.
pub fn shares(dirtied: &[(&Dirtying, &Dirtied)]) -> Vec<DirtiedBy> {
    if dirtied.len() < 2 {
        return Vec::new();
    }
    let all: u64 = dirtied.iter().map(|(_, one)| one.bytes).sum();
    let part = |(of, one): &(&Dirtying, &Dirtied)| DirtiedBy {
        who: owner(of, one),
        share: one.bytes as f64 / all.max(1) as f64,
    };
    dirtied.iter().take(NAMED).map(part).collect()
}

/// Of many that dirtied one file.
const NAMED: usize = 16;
