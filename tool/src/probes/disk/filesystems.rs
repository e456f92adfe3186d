//! How full file systems are, and were.
//!
//! `statvfs` is asked by the thread that no tick waits for, and never of a file system that has a server.

use std::{
    collections::{HashMap, VecDeque},
    ffi::CString,
    fs,
    time::Duration,
};

use crate::{
    kernel::{in_time::in_time, pace::Pace},
    probes::mounts::{self, Mounted},
    sample::{MountedAt, Room},
    snapshot::{disk::SERVED, who::NOT_IN_TIME},
};

/// How far back growth is looked at.
const SPANS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// What is kept of the past: so many readings, no two nearer to each other than that.
const KEPT: usize = 121;
const APART: Duration = Duration::from_secs(5);
/// A host with many containers mounts thousands.
const MOST: usize = 256;
/// So many are asked together: to hand over each of them takes longer than to ask. What hangs, hides these.
const TOGETHER: usize = 16;

/// What was said of room; none: it has none.
type Asked = Result<Option<Room>, &'static str>;

/// After a reading of the table of mounts, so many times as long without one: of a host with thousands it takes milliseconds.
const REST: u32 = 1000;

pub struct Filesystems {
    mounted: Vec<Mounted>,
    pace: Pace,
    /// By device and place: a device's number is used again.
    past: HashMap<(u32, String), VecDeque<(Duration, Room)>>,
}

impl Default for Filesystems {
    fn default() -> Self {
        Self { mounted: Vec::new(), pace: Pace::new(REST), past: HashMap::new() }
    }
}

impl Filesystems {
    pub fn read(&mut self, now: Duration) -> Vec<MountedAt> {
        if self.pace.has_rested(now) {
            let mountinfo = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            self.mounted = self.pace.walk(now, || mounts::all(&mountinfo()).into_iter().take(MOST).collect());
        }
        let mounted = std::mem::take(&mut self.mounted);
        let asked = mounted.chunks(TOGETHER).flat_map(asked);
        let all: Vec<MountedAt> = asked.filter_map(|(mounted, room)| self.one(mounted, room, now)).collect();
        self.mounted = mounted;
        self.past.retain(|(dev, at), _| all.iter().any(|one| one.dev == *dev && one.mount == *at));
        all
    }

    /// `None`: it has no room, but shows what the kernel knows.
    fn one(&mut self, mounted: &Mounted, room: Asked, now: Duration) -> Option<MountedAt> {
        let room = match room {
            Ok(room) => Ok(room?),
            Err(why) => Err(why),
        };
        let Mounted { dev, at, source, kind, read_only } = mounted.clone();
        let past = self.past.entry((dev, at.clone())).or_default();
        let earlier = earlier(past, room.ok(), now);
        Some(MountedAt { dev, mount: at, source, kind, read_only, room, earlier })
    }
}

/// How full each of some is: all that may be asked are, by one thread.
fn asked(some: &[Mounted]) -> Vec<(&Mounted, Asked)> {
    let path = |mounted: &Mounted| (!mounted.has_server()).then(|| CString::new(mounted.at.as_str()).ok());
    let paths: Vec<Option<Option<CString>>> = some.iter().map(path).collect();
    let first = some.first().map_or("", |mounted| &mounted.at).to_owned();
    let read = move || {
        let read = |path: Option<Option<CString>>| path.map_or(Err(SERVED), |path| Ok(path.as_ref().and_then(room)));
        paths.into_iter().map(read).collect::<Vec<Asked>>()
    };
    let late = |mounted: &Mounted| Err(if mounted.has_server() { SERVED } else { NOT_IN_TIME });
    let rooms = in_time(format!("statvfs from {first} on"), read);
    let rooms = rooms.unwrap_or_else(|| some.iter().map(late).collect());
    some.iter().zip(rooms).collect()
}

/// What was known about so long ago; notes what is known now.
fn earlier(past: &mut VecDeque<(Duration, Room)>, room: Option<Room>, now: Duration) -> [Option<(Duration, Room)>; 2] {
    // What was before it was made larger or smaller says nothing.
    if past.back().zip(room).is_some_and(|((_, last), room)| last.size != room.size) {
        past.clear();
    }
    let earlier = SPANS.map(|span| {
        let then = past.iter().find(|(at, _)| now.saturating_sub(*at) <= span + APART)?;
        Some((now.saturating_sub(then.0), then.1))
    });
    if let Some(room) = room.filter(|_| past.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= APART)) {
        past.push_back((now, room));
        past.drain(..past.len().saturating_sub(KEPT));
    }
    earlier
}

/// `None`: it cannot be asked, or has no size.
fn room(path: &CString) -> Option<Room> {
    // SAFETY: all zeros are a valid `statvfs64`; the path ends.
    let stat = unsafe {
        let mut stat: libc::statvfs64 = std::mem::zeroed();
        (libc::statvfs64(path.as_ptr(), &mut stat) == 0).then_some(stat)?
    };
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    let room = Room {
        size: bytes(stat.f_blocks),
        free: bytes(stat.f_bfree),
        available: bytes(stat.f_bavail),
        inodes: stat.f_files,
        inodes_free: stat.f_ffree,
    };
    (room.size > 0).then_some(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_goes_back_ten_minutes_and_is_bounded() {
        let mut past = VecDeque::new();
        let room = |free| Room { size: 1 << 40, free, ..Room::default() };
        let at = |second: u64| Duration::from_secs(second);
        let mut seen = [None; 2];
        for second in 0..2000 {
            seen = earlier(&mut past, Some(room(second)), at(second));
        }
        let ago = seen.map(|one| one.map(|(ago, then)| (ago.as_secs(), then.free)));
        assert_eq!((ago, past.len()), ([Some((64, 1935)), Some((604, 1395))], KEPT));
        // It was made larger.
        let larger = Room { size: 2 << 40, ..room(0) };
        assert_eq!(earlier(&mut past, Some(larger), at(2001)), [None; 2]);
        assert_eq!(earlier(&mut past, None, at(2010)).map(|one| one.map(|(ago, _)| ago.as_secs())), [Some(9); 2]);
    }

    #[test]
    fn the_root_has_room() {
        assert!(room(&c"/".to_owned()).is_some_and(|room| room.size > room.free));
        assert_eq!(room(&c"/proc".to_owned()), None);
        assert_eq!(room(&c"/there/is/none".to_owned()), None);
    }
}
