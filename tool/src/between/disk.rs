//! From two readings of file systems and open files to what grew between them.

mod directories;
mod writers;

use std::{collections::HashMap, rc::Rc, time::Duration};

use super::Span;
use crate::{
    cli::plan,
    sample::{self, FileKey, Files, MountedAt, OpenBy, OpenFile, Room},
    snapshot::{
        Who,
        disk::{
            DeletedOpen, Descriptors, Directory, Disk, ELSEWHERE, FIRST_WALK, Filesystem, Growing, HostFiles,
            IN_MEMORY, NO_LIMIT, NO_NEW_WALK, NOT_SEEN, SERVED, STEADY, TOO_YOUNG,
        },
    },
    table::{Bounded, Known, Why, in_order},
};

/// Before that a rate says nothing of what comes.
const YOUNG: Duration = Duration::from_secs(5);
/// Processes are shown that have so many descriptors, or this part of what they may have.
const MANY: u64 = 256;
const MUCH: f64 = 0.1;

pub fn between(before: &sample::Disk, after: &sample::Disk, _: &Span, plan: &plan::Disk) -> Disk {
    let mounts: HashMap<u32, &str> = after.filesystems.iter().map(|one| (one.dev, one.mount.as_str())).collect();
    let mut filesystems: Vec<Filesystem> = after.filesystems.iter().map(|one| filesystem(before, one)).collect();
    in_order(&mut filesystems);
    let (growing, directories) = match growing(before, after, &mounts) {
        Known::Value((growing, directories)) => (growing.into(), directories.into()),
        Known::Not(why) => (Known::Not(why.clone()), Known::Not(why)),
    };
    Disk {
        horizon_ns: plan.horizon.as_nanos() as u64,
        filesystems: filesystems.into(),
        growing,
        directories,
        deleted_open: seen(after, |files| deleted_open(files, &mounts)),
        descriptors: seen(after, |files| descriptors(before.files.as_deref(), files, plan)),
        host: HostFiles { open: after.handles.map(|(open, _)| open), limit: after.handles.map(|(_, limit)| limit) },
    }
}

fn filesystem(before: &sample::Disk, now: &MountedAt) -> Filesystem {
    let room = known(now.room);
    let of = |what: fn(&Room) -> u64| room.clone().map(|room| what(&room));
    let [minute, minutes] = now.earlier.map(|earlier| Past { now: room.clone(), earlier });
    let earlier = before.filesystems.iter().find(|row| row.dev == now.dev && row.mount == now.mount);
    let before = earlier.map_or(Known::unknown(TOO_YOUNG), |row| known(row.room));
    let grew = match (before, room.clone()) {
        (Known::Value(before), Known::Value(now)) => signed(before.used(), now.used()).into(),
        (_, Known::Not(why)) | (Known::Not(why), _) => Known::Not(why),
    };
    let has_inodes = now.room.is_err() || now.room.is_ok_and(|room| room.inodes > 0);
    let inodes = |what: fn(&Room) -> u64| if has_inodes { of(what) } else { Known::unknown(NO_LIMIT) };
    Filesystem {
        mount: now.mount.clone(),
        source: now.source.clone(),
        kind: now.kind.clone(),
        read_only: now.read_only,
        size_bytes: of(|room| room.size),
        used_bytes: of(Room::used),
        free_bytes: of(|room| room.free),
        available_bytes: of(|room| room.available),
        used_share: room.clone().map(|room| part(room.used(), room.used() + room.available)),
        grew_bytes: grew,
        bytes_per_s: minute.rate(Room::used),
        bytes_per_s_10m: minutes.rate(Room::used),
        full_in_ns: minute.full_in(Room::used, |room| room.available),
        full_in_10m_ns: minutes.full_in(Room::used, |room| room.available),
        watched_ns: now.earlier[1].map_or(0, |(ago, _)| ago.as_nanos() as u64),
        inodes: inodes(|room| room.inodes),
        inodes_free: inodes(|room| room.inodes_free),
        inodes_share: match has_inodes {
            false => Known::unknown(NO_LIMIT),
            true => room.clone().map(|room| part(room.inodes_used(), room.inodes)),
        },
        inodes_full_in_ns: match has_inodes {
            false => Known::unknown(NO_LIMIT),
            true => minute.full_in(Room::inodes_used, |room| room.inodes_free),
        },
    }
}

/// Of one that is not asked, nothing is wrong.
fn known(room: Result<Room, &'static str>) -> Known<Room> {
    match room {
        Ok(room) => room.into(),
        Err(why) if why == SERVED => Known::Not(Why::NotLookedAt(why.into())),
        Err(why) => Known::unknown(why),
    }
}

fn part(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}

fn signed(before: u64, now: u64) -> i64 {
    now.wrapping_sub(before) as i64
}

/// A file system now and some time ago.
struct Past {
    now: Known<Room>,
    earlier: Option<(Duration, Room)>,
}

impl Past {
    fn rate(&self, what: fn(&Room) -> u64) -> Known<i64> {
        match (&self.now, self.earlier) {
            (Known::Not(why), _) => Known::Not(why.clone()),
            (Known::Value(now), Some((ago, then))) if ago >= YOUNG => {
                ((signed(what(&then), what(now)) as f64 / ago.as_secs_f64()).round() as i64).into()
            }
            _ => Known::unknown(TOO_YOUNG),
        }
    }

    fn full_in(&self, what: fn(&Room) -> u64, left: fn(&Room) -> u64) -> Known<u64> {
        match (self.rate(what), &self.now) {
            (Known::Value(rate), Known::Value(now)) if rate > 0 => {
                ((left(now) as f64 / rate as f64 * 1e9).min(u64::MAX as f64) as u64).into()
            }
            (Known::Value(_), _) => Known::unknown(STEADY),
            (Known::Not(why), _) => Known::Not(why),
        }
    }
}

/// Of the last walk.
fn seen<R>(after: &sample::Disk, rows: impl FnOnce(&Files) -> Vec<R>) -> Known<Bounded<R>> {
    match &after.files {
        Some(files) => rows(files).into(),
        None => Known::Not(unseen(after)),
    }
}

fn unseen(after: &sample::Disk) -> Why {
    match after.no_files {
        Some(why) => Why::Unavailable(why.into()),
        None => Why::NotLookedAt(FIRST_WALK.into()),
    }
}

fn growing(
    before: &sample::Disk,
    after: &sample::Disk,
    mounts: &HashMap<u32, &str>,
) -> Known<(Vec<Growing>, Vec<Directory>)> {
    match (&before.files, &after.files) {
        (Some(then), Some(now)) if !Rc::ptr_eq(then, now) => {
            let grown = grown(then, now, mounts);
            let directories = directories::written(&grown, [then, now], mounts);
            let mut rows: Vec<Growing> = grown.into_iter().map(|(_, row)| row).collect();
            in_order(&mut rows);
            Known::Value((rows, directories))
        }
        (Some(_), Some(_)) => Known::Not(Why::NotLookedAt(NO_NEW_WALK.into())),
        // What the first walk saw has not grown yet, as far as is known.
        (None, Some(_)) => Known::Not(Why::NotLookedAt(FIRST_WALK.into())),
        (_, None) => Known::Not(unseen(after)),
    }
}

/// In no order.
fn grown(then: &Files, now: &Files, mounts: &HashMap<u32, &str>) -> Vec<(FileKey, Growing)> {
    let over_ns = now.at.saturating_sub(then.at).as_nanos() as u64;
    let dirtied = writers::by_file(now);
    let row = |(key, file): (&FileKey, &OpenFile)| {
        let earlier = then.open.get(key)?;
        let bytes = file.takes().saturating_sub(earlier.takes());
        let writers = pids(file.by.iter().filter(|by| by.writes));
        let by = writer(earlier, file);
        let dirtied = dirtied.get(key).map_or(&[][..], Vec::as_slice);
        // Whoever has it open can say what it is called.
        let holder = by.or(file.by.iter().find(|by| by.writes))?;
        let row = || Growing {
            who: writers::who(by, dirtied, bytes),
            path: Known::Not(Why::NotLookedAt(NOT_SEEN.into())),
            mount: mount(mounts, key.0, file),
            bytes,
            size_bytes: file.size,
            over_ns,
            bytes_per_s: Growing::rate(bytes, over_ns),
            writers: writers.len() as u64,
            holder: holder.pid,
            fd: holder.fd,
            inode: key.1,
            dirtied_by: writers::shares(dirtied),
        };
        (bytes > 0).then(|| (*key, row()))
    };
    now.open.iter().filter_map(row).collect()
}

fn mount(mounts: &HashMap<u32, &str>, dev: u32, file: &OpenFile) -> Known<String> {
    let why_not = if file.in_memory { IN_MEMORY } else { ELSEWHERE };
    Known::of(mounts.get(&dev).map(|mount| (*mount).to_owned()), why_not)
}

fn pids<'a>(by: impl Iterator<Item = &'a OpenBy>) -> Vec<u32> {
    let mut pids: Vec<u32> = by.map(|by| by.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Who writes to a file that grows: the only process that can, or the only one whose descriptor moved on.
fn writer<'a>(then: &OpenFile, now: &'a OpenFile) -> Option<&'a OpenBy> {
    let can = || now.by.iter().filter(|by| by.writes);
    if let [_] = pids(can())[..] {
        return can().next();
    }
    let moved = |by: &&OpenBy| {
        let earlier = then.by.iter().find(|earlier| (earlier.pid, earlier.fd) == (by.pid, by.fd));
        earlier.is_some_and(|earlier| by.position > earlier.position)
    };
    match pids(can().filter(moved))[..] {
        [_] => can().find(moved),
        _ => None,
    }
}

fn deleted_open(files: &Files, mounts: &HashMap<u32, &str>) -> Vec<DeletedOpen> {
    let row = |(key, file): (&FileKey, &OpenFile)| {
        // Asked at every tick, of files that a hundred thousand descriptors may be of.
        if !file.deleted || file.size.max(file.allocated) == 0 {
            return None;
        }
        let by = file.by.iter().min_by_key(|by| (by.pid, by.fd))?;
        Some(DeletedOpen {
            who: Who::recorded(by.pid, &by.comm, 0),
            path: Known::Not(Why::NotLookedAt(NOT_SEEN.into())),
            mount: mount(mounts, key.0, file),
            bytes: file.allocated,
            size_bytes: file.size,
            in_memory: file.in_memory,
            holders: pids(file.by.iter()).len() as u64,
            fd: by.fd,
            inode: key.1,
        })
    };
    let mut rows: Vec<DeletedOpen> = files.open.iter().filter_map(row).collect();
    in_order(&mut rows);
    rows
}

fn descriptors(then: Option<&Files>, now: &Files, plan: &plan::Disk) -> Vec<Descriptors> {
    let row = |(pid, own): (&u32, &sample::Descriptors)| Descriptors {
        who: Who::recorded(*pid, &own.comm, 0),
        open: own.open,
        limit: own.limit,
        used_share: part(own.open, own.limit),
        grew: then.and_then(|then| then.processes.get(pid)).map_or(0, |earlier| signed(earlier.open, own.open)),
    };
    let is_much = |row: &Descriptors| plan.all || row.used_share >= MUCH || row.open >= MANY;
    let mut rows: Vec<Descriptors> = now.processes.iter().map(row).filter(is_much).collect();
    in_order(&mut rows);
    rows
}

#[cfg(test)]
mod tests;
