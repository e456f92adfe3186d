//! What processes write into directories, however many files that are.

use std::collections::HashMap;

use stillwatch_common::{disk::Dirtying, io::tgid_of};

use super::writers;
use crate::{
    sample::{DirectoryPath, FileKey, Files},
    snapshot::{
        Who,
        disk::{Directory, ELSEWHERE, Growing, NO_DIRECTORY, NOT_SEEN},
    },
    table::{Known, Why, in_order},
};

/// A directory, and who writes into it.
type Place = (FileKey, u32);

pub fn written(grown: &[(FileKey, Growing)], [then, now]: [&Files; 2], mounts: &HashMap<u32, &str>) -> Vec<Directory> {
    let mut rows: HashMap<Place, Directory> = HashMap::new();
    for (key, file) in grown {
        let directory = now.open.get(key).map_or(0, |file| file.directory);
        if let Some(pid) = file.who.pid.filter(|_| directory != 0) {
            let row = rows.entry(((key.0, directory), pid)).or_insert_with(|| empty(file.who.clone(), directory));
            (row.files, row.bytes) = (row.files + 1, row.bytes + file.bytes);
            (row.fd, row.of) = (file.fd, file.inode);
        }
    }
    // One that grows alone has a row of its own.
    rows.retain(|_, row| row.files > 1);
    let stayed = |of: &Dirtying| [then, now].iter().all(|walk| walk.open.contains_key(&(of.dev, of.inode)));
    for (of, dirtied) in now.written.iter().flat_map(|written| &written.by).filter(|(of, _)| !stayed(of)) {
        let place = ((of.dev, dirtied.directory), tgid_of(of.owner));
        let row = rows.entry(place).or_insert_with(|| empty(writers::owner(of, dirtied), dirtied.directory));
        (row.files, row.bytes) = (row.files + 1, row.bytes + dirtied.bytes);
        row.passing_bytes += dirtied.bytes;
    }
    let over_ns = now.at.saturating_sub(then.at).as_nanos() as u64;
    let names = now.written.as_ref().map(|written| &written.directories);
    let mut rows: Vec<Directory> = rows
        .into_iter()
        .map(|((directory, _), row)| {
            let mount = mounts.get(&directory.0).copied();
            Directory {
                path: path(&row, mount, names.and_then(|names| names.get(&directory))),
                mount: Known::of(mount.map(str::to_owned), ELSEWHERE),
                over_ns,
                bytes_per_s: Growing::rate(row.bytes, over_ns),
                ..row
            }
        })
        .collect();
    in_order(&mut rows);
    rows
}

fn empty(who: Who, inode: u64) -> Directory {
    Directory {
        who,
        path: Known::unknown(NO_DIRECTORY),
        mount: Known::unknown(ELSEWHERE),
        files: 0,
        bytes: 0,
        bytes_per_s: 0,
        passing_bytes: 0,
        over_ns: 0,
        fd: 0,
        of: 0,
        inode,
    }
}

/// As the kernel has it, below where its file system is mounted.
fn path(row: &Directory, mount: Option<&str>, name: Option<&DirectoryPath>) -> Known<String> {
    match (mount, name) {
        (Some(mount), Some(name)) => {
            let mut path = mount.trim_end_matches('/').to_owned();
            let between = if name.whole { "/" } else { "/\u{2026}/" };
            if !(name.whole && name.path.is_empty() && !path.is_empty()) {
                path += between;
            }
            (path + &name.path).into()
        }
        // Who has one of its files open can say what it is called.
        _ if row.of != 0 => Known::Not(Why::NotLookedAt(NOT_SEEN.into())),
        (None, Some(_)) => Known::unknown(ELSEWHERE),
        _ => Known::unknown(NO_DIRECTORY),
    }
}
