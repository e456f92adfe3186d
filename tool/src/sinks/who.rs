//! Columns that name a process, and what a cut table says.

use super::{View, format::UNKNOWN, table::Noted};
use crate::{
    escape::{escape, fit},
    snapshot::Who,
};

/// Columns of a thread's name: the kernel keeps 15 bytes.
pub const COMM: usize = 15;

/// Columns of the whole path of a cgroup.
pub const PATH: usize = 60;

pub fn cgroup_width(view: &View) -> usize {
    if view.narrow() { 12 } else { 24 }
}

/// As wide as the columns that name a process.
pub fn group_width(view: &View) -> usize {
    COMM + 2 + 7 + 2 + cgroup_width(view)
}

pub fn comm(who: &Who, unknown: &str) -> String {
    who.comm.as_ref().map_or_else(|| unknown.to_owned(), |comm| fit(comm, COMM))
}

/// Of whom nothing is known.
pub const NOBODY: &str = "unknown";

/// `name pid`.
pub fn one(who: &Who) -> String {
    match (&who.comm, who.pid) {
        (Some(comm), Some(pid)) => format!("{} {pid}", escape(comm)),
        (None, Some(pid)) => pid.to_string(),
        (comm, None) => comm.as_ref().map_or_else(|| NOBODY.to_owned(), |comm| escape(comm).into_owned()),
    }
}

pub fn pid(who: &Who) -> String {
    who.pid.map_or_else(|| UNKNOWN.into(), |pid| pid.to_string())
}

/// The last part of the path, which names the service or container; JSON has all of it.
pub fn cgroup(who: &Who, unknown: &str, width: usize) -> String {
    who.cgroup.as_ref().map_or_else(|| unknown.to_owned(), |path| last_of(path, width))
}

pub fn last_of(path: &str, width: usize) -> String {
    match path.trim_end_matches('/').rsplit('/').next() {
        Some(name) if !name.is_empty() => fit(name, width),
        _ => "/".into(),
    }
}

/// A name, with what is not known of whom it names.
pub fn noted(who: &Who, name: String) -> Noted {
    Noted::new(name, who.unknown.iter().map(ToString::to_string))
}

/// How many rows a table leaves out; of those besides, only the sums are kept.
pub fn more(text: &mut String, rows: usize, besides: u64, view: &View) {
    let more = rows.saturating_sub(view.top) as u64 + besides;
    let how = match (rows > view.top, besides) {
        (true, 0) => format!("--top {rows} shows all"),
        (true, _) => format!("--top {rows} shows all but {besides}, of which --json has the sums"),
        (false, _) => "--json has their sums".to_owned(),
    };
    if more > 0 {
        *text += &view.dim(&format!("{more} more ({how})"));
        text.push('\n');
    }
}
