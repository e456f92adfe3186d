//! What was wrong, from before it began until after it was over: which parts of a recording outlive the rest.
//!
//! Each incident is a folder of its own below `incidents/`, named by its number, with hard links of the segments that it covers: they take
//! no room until the recording itself lets go of them, and can be read, copied or removed like any other recording.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Problem, read, segments};

const FOLDER: &str = "incidents";
const FILE: &str = "incident.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub number: u32,
    /// When something was wrong first, and last.
    pub since: Timestamp,
    pub until: Timestamp,
    /// Of the recording, what is kept for it.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The worst that was said of it.
    pub statement: String,
    pub harm: f64,
    /// It was seen to end.
    #[serde(default)]
    pub over: bool,
}

impl Incident {
    pub fn folder(&self, recording: &Path) -> PathBuf {
        recording.join(FOLDER).join(format!("{:04}", self.number))
    }

    /// As it is now, at once or not at all.
    pub fn save(&self, recording: &Path) -> io::Result<()> {
        let folder = self.folder(recording);
        fs::create_dir_all(&folder)?;
        let new = folder.join("incident.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, folder.join(FILE))
    }

    pub fn pin(&self, recording: &Path, segment: &Path) -> io::Result<()> {
        let Some(name) = segment.file_name() else { return Ok(()) };
        match fs::hard_link(segment, self.folder(recording).join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Until when its part of the recording reaches: of one that was not seen to end, as far as there is anything.
    pub fn end(&self, recording: &Path) -> Result<Timestamp, Problem> {
        if self.over {
            return Ok(self.to);
        }
        let span = read::open(&self.folder(recording))?.span()?;
        Ok(span.map_or(self.to, |(_, last)| last))
    }

    /// Of its segments, whether or not they are elsewhere, too.
    pub fn bytes(&self, recording: &Path) -> io::Result<u64> {
        let sizes = segments::of(&self.folder(recording))?.into_iter().map(|path| Ok(fs::metadata(path)?.len()));
        sizes.sum()
    }
}

/// Those of a recording, in order. One whose notes cannot be read is none.
pub fn all(recording: &Path) -> Result<Vec<Incident>, Problem> {
    let mut incidents: Vec<Incident> = Vec::new();
    let folders = folders(recording).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => Problem::OneFile(recording.to_owned()),
        _ => Problem::Unreadable { path: recording.to_owned(), error },
    })?;
    for folder in folders {
        let notes = fs::read(folder.join(FILE)).ok();
        incidents.extend(notes.and_then(|notes| serde_json::from_slice(&notes).ok()));
    }
    incidents.sort_by_key(|incident| incident.number);
    Ok(incidents)
}

/// Of each incident, in order; also of those whose notes cannot be read.
pub fn folders(recording: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match fs::read_dir(recording.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        folder => folder?,
    };
    let mut folders = folder.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    folders.retain(|path| number(path).is_some());
    folders.sort_by_key(|path| number(path));
    Ok(folders)
}

fn number(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.parse().ok()
}

/// After the last one.
pub fn next_number(recording: &Path) -> io::Result<u32> {
    Ok(folders(recording)?.last().and_then(|path| number(path)).map_or(1, |last| last + 1))
}

/// Removes the oldest until all take no more than that; the last one stays.
pub fn bound(recording: &Path, most: u64) -> io::Result<()> {
    let mut folders = folders(recording)?;
    while folders.len() > 1 && bytes(&folders)? > most {
        fs::remove_dir_all(folders.remove(0))?;
    }
    Ok(())
}

/// A segment of two incidents counts once.
fn bytes(folders: &[PathBuf]) -> io::Result<u64> {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    for folder in folders {
        for segment in segments::of(folder)? {
            let metadata = fs::metadata(segment)?;
            if seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}
