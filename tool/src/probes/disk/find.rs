//! Who holds what somebody asks for. One look through `/proc`, for a person who waits for it; no program of ours is needed.
//!
//! Whatever is read may hang with a file system or a process: threads read it, and what does not come in time is named. Files are looked
//! at without asking their server (`AT_STATX_DONT_SYNC`).

mod elsewhere;
mod processes;
mod sockets;
mod target;

use std::sync::Arc;

use jiff::Timestamp;

use self::target::Wanted;
use crate::{
    kernel::in_time,
    snapshot::{
        Who,
        disk::holds::{Found, Hold, HoldKind},
        who::NOT_IN_TIME,
    },
};

/// One way in which it is held.
pub struct Way {
    pub how: HoldKind,
    pub fd: Option<u32>,
    pub what: String,
}

/// An error: why there is no such thing.
pub fn find(asked: &str, at: Timestamp) -> Result<Found, String> {
    let mut found =
        Found { at, asked: asked.to_owned(), is: String::new(), holds: Vec::new(), orphans: 0, unread: Vec::new() };
    let wanted = Wanted::of(asked, &mut found)?;
    found.is = wanted.is.clone();
    let wanted = Arc::new(wanted);
    let mut pids: Vec<u32> = crate::kernel::processes::all().collect();
    pids.sort_unstable();
    elsewhere::look(&wanted, &pids, &mut found);
    for pid in pids {
        processes::look(pid, &wanted, &mut found);
    }
    Ok(found)
}

fn add(found: &mut Found, pid: Option<u32>, ways: impl IntoIterator<Item = Way>) {
    let who = pid.map(Who::living).unwrap_or_default();
    found.holds.extend(ways.into_iter().map(|Way { how, fd, what }| Hold { who: who.clone(), how, fd, what }));
}

/// Reads something; what does not come in time is noted.
fn read<T: Send + 'static>(found: &mut Found, what: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // Each may take as long as one reading of a tick.
    in_time::begin_tick();
    let read = in_time::in_time(what, work);
    if read.is_none() {
        found.unread.push(format!("{what}: {NOT_IN_TIME}"));
    }
    read
}
