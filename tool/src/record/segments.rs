//! Segments of a folder. A name is the moment of the first entry: in their order is in that of time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

const FORMAT: &str = "%Y%m%dT%H%M%S.%6fZ";
const EXTENSION: &str = "swr";

pub fn name(began: Timestamp) -> String {
    let began = began.to_zoned(TimeZone::UTC).strftime(FORMAT);
    format!("{began}.{EXTENSION}")
}

/// None: it has another name.
pub fn began(segment: &Path) -> Option<Timestamp> {
    let name = segment.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let time = strtime::parse(FORMAT, name).ok()?;
    time.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

/// In order.
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

/// Of a recording and its incidents, each once, in order.
pub fn with_incidents(folder: &Path, incidents: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut segments = of(folder)?;
    for incident in incidents {
        segments.extend(of(incident)?);
    }
    segments.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    segments.dedup_by(|a, b| a.file_name() == b.file_name());
    Ok(segments)
}
