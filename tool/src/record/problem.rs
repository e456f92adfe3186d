//! Why there is no recording to be read or written, in one line.

use std::{io, path::PathBuf};

use jiff::Timestamp;

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} has no recording; 'stillwatch record' makes one, and --save FILE keeps what a run sees", .0.display())]
    Nothing(PathBuf),
    #[error("{} is empty: nothing was recorded", .0.display())]
    Empty(PathBuf),
    #[error("{} is no recording of stillwatch, or nothing of it can be read any more", .0.display())]
    NoRecording(PathBuf),
    #[error("{}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error("{} exists already: write to another file, or remove it", .0.display())]
    Exists(PathBuf),
    #[error("{} is being recorded to by another stillwatch: stop that one, or choose another folder", .0.display())]
    Taken(PathBuf),
    #[error("{} is one file: incidents are kept by 'stillwatch record', in a folder", .0.display())]
    OneFile(PathBuf),
    #[error("{} has no incident {number} ('stillwatch incidents' lists them)", path.display())]
    NoIncident { path: PathBuf, number: u32 },
    #[error("{} has nothing of that time: it is from {first} to {last}", path.display())]
    NothingThen { path: PathBuf, first: Timestamp, last: Timestamp },
    #[error("{} was recorded by stillwatch {version}, which did not write down what its columns mean: see docs/tables.md", path.display())]
    NoWords { path: PathBuf, version: String },
    #[error("{} was recorded by stillwatch {version}, whose format {format} is newer than this one's: use that version", path.display())]
    Newer { path: PathBuf, version: String, format: u32 },
}
