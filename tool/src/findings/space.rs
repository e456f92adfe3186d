//! What rules about file systems share.

use super::words::name;
use crate::{
    escape::escape,
    format,
    snapshot::{
        Who,
        disk::{Disk, Filesystem, Growing},
        finding::{Evidence, Value},
    },
};

/// Named in a sentence.
const NAMED: usize = 2;
/// Growth that is worth a name: a part of that of its file system.
const SHARE: f64 = 0.1;

pub fn of(what: &str, value: Value) -> Evidence {
    Evidence { probe: "disk", what: what.into(), value }
}

/// Who makes a file system grow, in words and by name: of files that are open.
pub fn growers(disk: &Disk, row: &Filesystem) -> (String, Vec<Who>) {
    let rate = row.bytes_per_s.value().copied().unwrap_or(0).max(0) as f64;
    let on = |growing: &&Growing| growing.mount.value() == Some(&row.mount);
    let rows = disk.growing.value().into_iter().flatten().filter(on);
    let rows: Vec<&Growing> = rows.filter(|row| row.bytes_per_s as f64 >= SHARE * rate).take(NAMED).collect();
    let words = |row: &&Growing| {
        let path = row.path.value().map_or_else(|| "a file".to_owned(), |path| escape(path).into_owned());
        format!("{} grows {path} by {}/s", name(&row.who), format::bytes(row.bytes_per_s))
    };
    let known = rows.iter().map(|row| &row.who).filter(|who| who.pid.is_some());
    let words: Vec<String> = rows.iter().map(words).collect();
    let words = if words.is_empty() { String::new() } else { format!("; {}", words.join(", ")) };
    (words, known.cloned().collect())
}
