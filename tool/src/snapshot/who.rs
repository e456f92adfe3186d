//! Who is behind a number.

use stillwatch_common::io::{OwnerId, tgid_of};

use crate::table::{Reason, table};

table! {
    /// A process. What is not known is none, never 0 or a bystander's name.
    pub struct Who in "who" derive(Default, Eq) {
        /// Number of the process.
        pid: Option<u32> = label();
        /// The name that it gives itself; not escaped before it is shown.
        comm: Option<String> = label();
        /// Path below the cgroup root.
        cgroup: Option<String> = label();
        /// Why something above is not known.
        unknown: Option<Reason> = info().optional();
        /// The name that it had when it was seen, where it has another one by now.
        noted: Option<String> = label().hidden();
        /// What the kernel noted beside the numbers (unified hierarchy): names the cgroup of a process that has ended.
        cgroup_id: Option<u64> = info().hidden();
        /// When it started, in units of 2^20 ns since boot (32 bits of it), where that is known: process ids are used again.
        started: Option<u32> = label().hidden();
        /// It has no program of its own.
        kernel_thread: bool = flag().hidden().sparse();
    }
}

table! {
    /// A FUSE file system that somebody waits for.
    pub struct FileServer in "file_server" derive(Default, Eq) {
        /// Where it is mounted.
        place: String = label();
        /// Processes that have its device open: who serves it is one of them.
        holders: Vec<Who> = info();
    }
}

/// Why there is no name.
pub const ENDED: &str = "ended before it could be looked up";
/// Who reads it waits for a lock that somebody holds who hangs, or the host is slow.
pub const NOT_IN_TIME: &str = "not read in time";

/// Rows about processes.
pub trait About {
    /// Those that it is about: whoever asks for one of them asks for the row.
    fn whom(&mut self) -> impl Iterator<Item = &mut Who>;
}

macro_rules! about {
    ($($row:ty: $($who:ident).+ $(, $more:ident)?;)*) => {
        $(impl $crate::snapshot::who::About for $row {
            fn whom(&mut self) -> impl Iterator<Item = &mut $crate::snapshot::Who> {
                [&mut self.$($who).+ $(, &mut self.$more)?].into_iter()
            }
        })*
    };
}
pub(crate) use about;

impl Who {
    /// A process that was just seen.
    pub fn living(pid: u32) -> Self {
        Self { pid: Some(pid), ..Self::default() }
    }

    /// A process, with the name and cgroup that the kernel noted: it may have ended since.
    pub fn recorded(pid: u32, comm: &[u8; 16], cgroup_id: u64) -> Self {
        Self { comm: Some(text(comm)), cgroup_id: Some(cgroup_id).filter(|&id| id != 0), ..Self::living(pid) }
    }

    /// The same, and when it started: its number is another's by and by.
    pub fn owner(owner: OwnerId, comm: &[u8; 16], cgroup_id: u64) -> Self {
        Self { started: Some(owner as u32), ..Self::recorded(tgid_of(owner), comm, cgroup_id) }
    }
}

/// A name as the kernel keeps it: filled up with zeros.
pub fn text(comm: &[u8; 16]) -> String {
    let end = comm.iter().position(|&byte| byte == 0).unwrap_or(comm.len());
    String::from_utf8_lossy(&comm[..end]).into_owned()
}
