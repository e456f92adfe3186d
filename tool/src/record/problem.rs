//! Why there is no recording to be read or written, in one line.

use std::{io, path::PathBuf};

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
    #[error("{} was recorded by stillwatch {version}, whose format {format} is newer than this one's: use that version", path.display())]
    Newer { path: PathBuf, version: String, format: u32 },
}
