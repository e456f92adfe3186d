//! Segments of a folder. A name is the moment of the first entry: in their order is in that of time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

const FORMAT: &str = "%Y%m%dT%H%M%S.%6fZ";
const EXTENSION: &str = "swr";

/// None: it has another name.
pub fn began(segment: &Path) -> Option<Timestamp> {
    let name = segment.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let time = strtime::parse(FORMAT, name).ok()?;
    time.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

/// Of a folder and its incidents, each once, in order.
pub fn of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if began(&path).is_some() {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}
