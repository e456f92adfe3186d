//! Who holds a file, a directory, a file system, a device or a port: what `lsof`, `fuser -m` and `ss -p` say of it.

use jiff::Timestamp;

use super::super::{Who, who::about};
use crate::table::{named, table};

/// What was found of what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub at: Timestamp,
    pub asked: String,
    /// What that is.
    pub is: String,
    /// By process; what no process does, first.
    pub holds: Vec<Hold>,
    /// Sockets that have no process any more, such as those in TIME_WAIT.
    pub orphans: u64,
    /// What could not be looked at, and why.
    pub unread: Vec<String>,
}

/// How something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum HoldKind {
    Mount,
    MountBelow,
    LoopDevice,
    StackedDevice,
    Swap,
    Program,
    WorkingDirectory,
    RootDirectory,
    Mapping,
    Reading,
    Writing,
    ReadingAndWriting,
    /// `O_PATH`.
    Place,
    Listening,
    Connection,
}

impl HoldKind {
    pub const ALL: [Self; 15] = [
        Self::Mount,
        Self::MountBelow,
        Self::LoopDevice,
        Self::StackedDevice,
        Self::Swap,
        Self::Program,
        Self::WorkingDirectory,
        Self::RootDirectory,
        Self::Mapping,
        Self::Reading,
        Self::Writing,
        Self::ReadingAndWriting,
        Self::Place,
        Self::Listening,
        Self::Connection,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::MountBelow => "mount below it",
            Self::LoopDevice => "loop device",
            Self::StackedDevice => "device on it",
            Self::Swap => "swap",
            Self::Program => "program",
            Self::WorkingDirectory => "working directory",
            Self::RootDirectory => "root directory",
            Self::Mapping => "mapping",
            Self::Reading => "open to read",
            Self::Writing => "open to write",
            Self::ReadingAndWriting => "open to read, write",
            Self::Place => "open as a place",
            Self::Listening => "listens",
            Self::Connection => "connection",
        }
    }
}

named!(HoldKind);

about! { Hold: who; }

table! {
    /// One way in which something is held.
    pub struct Hold in "disk.holds" {
        /// Which process does; none: the kernel itself. Of a mount, a process that lives where it is mounted.
        who: Who = label().columns(Who::COLUMNS).flat(), text [comm("HOLDER"), pid("PID"), cgroup("CGROUP")];
        /// How.
        how: HoldKind = label(), text [words("HOW").least(8)];
        /// Its descriptor.
        fd: Option<u32> = label(), text [number("FD").least(3).unless_unknown()];
        /// What exactly: a path as the process sees it, a connection, a device.
        what: String = label(), text [cgroup("WHAT")];
    }
}
